#include "dataplane/control/crash_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/snapshot/snapshot.h"

namespace sluice::control {
namespace {

constexpr size_t kHashBytes = 32;
constexpr size_t kFileBytesMax = 64 * 1024;

}  // namespace

CrashGuard::CrashGuard(boost::asio::io_context& context, std::chrono::milliseconds probation)
    : probation_(probation), timer_(context) {}

CrashGuard::~CrashGuard() { EndCleanly(); }

void CrashGuard::Open(const std::string& directory, std::string_view build_version, Start start) {
  path_ = fmt::format("{}/{}", directory, kFileName);
  file_ = base::UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_.valid()) {
    base::LogWarn("a version that kills the proxy will not be noticed: {}",
                  std::string(base::ErrnoStatus(errno, "open " + path_).message()));
    return;
  }
  Read();
  if (record_.build_version() != build_version) record_.Clear();
  if (start == Start::kTakeover) {
    if (record_.has_proving()) StartTimer();
  } else {
    if (record_.alive()) CountDeath();
    unfinished_root_ = record_.proving().root();
    record_.clear_proving();
  }
  record_.set_build_version(std::string(build_version));
  record_.set_alive(true);
  record_.clear_preparing();
  Write();
}

void CrashGuard::CountDeath() {
  const v1::Version& version = record_.has_preparing() ? record_.preparing() : record_.proving();
  if (version.root().empty()) return;  // Whatever it died of, no version had just been taken up.
  v1::CrashSuspect* suspect = nullptr;
  for (v1::CrashSuspect& known : *record_.mutable_suspects()) {
    if (known.version().root() == version.root()) suspect = &known;
  }
  if (suspect == nullptr) {
    if (record_.suspects_size() == kSuspectsMax) record_.mutable_suspects()->DeleteSubrange(0, 1);
    suspect = record_.add_suspects();
  }
  *suspect->mutable_version() = version;
  suspect->set_deaths(suspect->deaths() + 1);
  suspect->set_last_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  base::LogWarn("the last process died just after it had taken up version {} (root {}): {} of {}",
                version.revision(), snapshot::ShortHex(version.root()), suspect->deaths(),
                kDeathsMax);
}

// --- What the process does.

void CrashGuard::Resume(const v1::Version& version) { resumed_root_ = version.root(); }

void CrashGuard::BeginPrepare(const v1::Version& version) {
  if (!file_.valid()) return;
  if (version.root() == resumed_root_ && !OnProbation(resumed_root_)) return;
  *record_.mutable_preparing() = version;
  Write();
}

void CrashGuard::EndPrepare() {
  if (!file_.valid() || !record_.has_preparing()) return;
  record_.clear_preparing();
  Write();
}

void CrashGuard::BeginServing(const v1::Version& version) {
  if (!file_.valid()) return;
  const bool old_news = version.root() == resumed_root_ && !OnProbation(resumed_root_);
  resumed_root_.clear();
  EndPrepare();
  if (old_news) return;
  *record_.mutable_proving() = version;
  Write();
  StartTimer();
}

void CrashGuard::StartTimer() {
  timer_.expires_after(probation_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) EndProbation();
  });
}

void CrashGuard::EndProbation() {
  if (!file_.valid()) return;
  Forget(record_.proving().root());
  record_.clear_proving();
  Write();
}

void CrashGuard::EndCleanly() {
  if (!file_.valid()) return;
  record_.set_alive(false);
  record_.clear_preparing();
  Write();
  HandOver();
}

void CrashGuard::HandOver() {
  timer_.cancel();
  file_.Reset();
}

// --- What follows from it.

const v1::CrashSuspect* CrashGuard::Find(const std::string& root) const {
  for (const v1::CrashSuspect& suspect : record_.suspects()) {
    if (suspect.version().root() == root) return &suspect;
  }
  return nullptr;
}

bool CrashGuard::OnProbation(const std::string& root) const {
  if (root.empty()) return false;
  return root == unfinished_root_ || root == record_.proving().root() || Find(root) != nullptr;
}

bool CrashGuard::Refuses(const std::string& root) const {
  const v1::CrashSuspect* suspect = Find(root);
  return suspect != nullptr && suspect->deaths() >= kDeathsMax;
}

std::vector<v1::Rejected> CrashGuard::Refused() const {
  std::vector<v1::Rejected> refused;
  for (const v1::CrashSuspect& suspect : record_.suspects()) {
    if (suspect.deaths() < kDeathsMax) continue;
    v1::Rejected& one = refused.emplace_back();
    one.set_root(suspect.version().root());
    one.add_errors()->set_message(fmt::format(
        "the proxy died {} times while it prepared this version or within {} s of beginning to "
        "serve it, so it stays on the one before: apply a mended version; to have this one tried "
        "again, upgrade the proxy, or restart it without {}",
        suspect.deaths(), probation_.count() / 1000, path_));
  }
  return refused;
}

void CrashGuard::Pardon() {
  record_.clear_suspects();
  if (file_.valid()) Write();
}

void CrashGuard::Forget(const std::string& root) {
  auto& suspects = *record_.mutable_suspects();
  for (int i = suspects.size() - 1; i >= 0; --i) {
    if (suspects[i].version().root() == root) suspects.DeleteSubrange(i, 1);
  }
}

// --- The file: the SHA-256 of the record, its length, the record. Whatever follows is of a longer
// one before.

void CrashGuard::Read() {
  std::string bytes(kFileBytesMax, '\0');
  const ssize_t got = pread(file_.get(), bytes.data(), bytes.size(), 0);
  uint32_t length = 0;
  if (got < static_cast<ssize_t>(kHashBytes + sizeof length)) return;
  std::memcpy(&length, bytes.data() + kHashBytes, sizeof length);
  const size_t start = kHashBytes + sizeof length;
  if (length > static_cast<size_t>(got) - start) return;
  const std::string_view body(bytes.data() + start, length);
  if (base::Sha256(body) != std::string_view(bytes).substr(0, kHashBytes)) return;
  if (!record_.ParseFromArray(body.data(), static_cast<int>(body.size()))) record_.Clear();
}

void CrashGuard::Write() {
  std::string body;
  record_.SerializeToString(&body);
  const auto length = static_cast<uint32_t>(body.size());
  std::string bytes = base::Sha256(body);
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += body;
  if (pwrite(file_.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) {
    return;
  }
  // A full disk must not stop a change; what was there before may tell a wrong story.
  base::LogWarn("{}",
                std::string(base::ErrnoStatus(errno, fmt::format("write {}", path_)).message()));
  if (ftruncate(file_.get(), 0) != 0) file_.Reset();
}

}  // namespace sluice::control
