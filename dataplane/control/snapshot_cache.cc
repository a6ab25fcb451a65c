#include "dataplane/control/snapshot_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "common/base/hash.h"
#include "common/base/status_macros.h"

namespace sluice::control {
namespace {

constexpr std::string_view kMagic = "sluice snapshot 1\n";
constexpr std::string_view kSealedMagic = "sluice snapshot 2\n";
constexpr char kPurpose[] = "snapshot";
constexpr size_t kHashBytes = 32;
constexpr size_t kFileBytesMax = size_t{1} << 30;
constexpr size_t kOverheadBytesMax = 256;  // Beside the body.

// A file is a magic and the body, a serialised v1::Snapshot, that is either sealed or comes after
// its SHA-256.
absl::StatusOr<std::string> BodyOf(std::string_view bytes, const trust::Sealer* sealer) {
  if (bytes.starts_with(kSealedMagic)) {
    if (sealer == nullptr)
      return absl::FailedPreconditionError("it is sealed, and there is no key");
    return sealer->Open(bytes.substr(kSealedMagic.size()), kPurpose);
  }
  if (bytes.size() < kMagic.size() + kHashBytes || !bytes.starts_with(kMagic)) {
    return absl::DataLossError("it is not a snapshot, or it was cut short");
  }
  const std::string_view hash = bytes.substr(kMagic.size(), kHashBytes);
  const std::string_view body = bytes.substr(kMagic.size() + kHashBytes);
  if (base::Sha256(body) != hash) return absl::DataLossError("its checksum is wrong");
  return std::string(body);
}

absl::StatusOr<SnapshotCache::Entry> Decode(std::string_view bytes, const trust::Sealer* sealer) {
  ASSIGN_OR_RETURN(const std::string body, BodyOf(bytes, sealer));
  v1::Snapshot message;
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError("it cannot be parsed");
  }
  SnapshotCache::Entry entry;
  entry.version = message.version();
  for (v1::Resource& resource : *message.mutable_resources()) {
    if (snapshot::ResourceHash(resource.kind(), resource.name(), resource.body()) !=
        resource.sha256()) {
      return absl::DataLossError(fmt::format("the hash of resource {} is wrong", resource.name()));
    }
    entry.resources.push_back(std::make_shared<const v1::Resource>(std::move(resource)));
  }
  RETURN_IF_ERROR(snapshot::SortAndCheck(&entry.resources));
  if (snapshot::RootOf(entry.resources) != entry.version.root()) {
    return absl::DataLossError("its root is wrong");
  }
  return entry;
}

absl::Status MakeDirectories(const std::string& directory) {
  for (size_t slash = directory.find('/', 1); slash != std::string::npos;
       slash = directory.find('/', slash + 1)) {
    RETURN_IF_ERROR(base::MakeDirectory(directory.substr(0, slash), 0755));
  }
  return base::MakeDirectory(directory, 0700);
}

absl::Status RenameFile(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return base::ErrnoStatus(errno, fmt::format("rename {} to {}", from, to));
}

absl::Status SyncFolder(const std::string& folder) {
  const base::UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return base::ErrnoStatus(errno, "sync " + folder);
  return absl::OkStatus();
}

}  // namespace

// NotFound when there is no such file; otherwise the message names it.
absl::StatusOr<SnapshotCache::Entry> SnapshotCache::ReadEntry(const std::string& path) const {
  ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, kFileBytesMax));
  auto entry = Decode(bytes, sealer_.has_value() ? &*sealer_ : nullptr);
  if (entry.ok()) return entry;
  return absl::Status(entry.status().code(),
                      fmt::format("{}: {}", path, std::string(entry.status().message())));
}

std::string SnapshotCache::Encode(const std::string& body) const {
  if (sealer_.has_value()) return std::string(kSealedMagic) + sealer_->Seal(body, kPurpose);
  return std::string(kMagic) + base::Sha256(body) + body;
}

bool SnapshotCache::has_sealed() const {
  for (const std::string& path : {CurrentPath(), PreviousPath()}) {
    const auto bytes = base::ReadFile(path, kFileBytesMax);
    if (bytes.ok() && bytes->starts_with(kSealedMagic)) return true;
  }
  return false;
}

absl::Status SnapshotCache::SealPresent() const {
  if (!sealer_.has_value()) return absl::OkStatus();
  for (const std::string& path : {CurrentPath(), PreviousPath()}) {
    const auto bytes = base::ReadFile(path, kFileBytesMax);
    if (!bytes.ok() || !bytes->starts_with(kMagic)) continue;
    const auto body = BodyOf(*bytes, nullptr);
    if (!body.ok()) continue;  // Damaged: it goes when the next ones are stored.
    RETURN_IF_ERROR(base::WriteFileAtomically(path, Encode(*body), 0600));
  }
  return absl::OkStatus();
}

absl::StatusOr<SnapshotCache> SnapshotCache::Open(const std::string& directory) {
  if (directory.empty()) return absl::InvalidArgumentError("--state-dir names no directory");
  RETURN_IF_ERROR(MakeDirectories(directory));
  const std::string path = directory + "/lock";
  base::UniqueFd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return base::ErrnoStatus(errno, "open " + path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::ErrnoStatus(errno, "lock " + path);
    return absl::FailedPreconditionError(fmt::format(
        "the state directory {} is in use by another sluice-proxy: give each its own --state-dir",
        directory));
  }
  SnapshotCache cache(directory, std::move(lock));
  cache.RemoveLeftovers();
  return cache;
}

absl::StatusOr<SnapshotCache> SnapshotCache::Adopt(const std::string& directory,
                                                   base::UniqueFd lock) {
  struct stat ours, handed;
  const std::string path = directory + "/lock";
  if (stat(path.c_str(), &ours) != 0) return base::ErrnoStatus(errno, "stat " + path);
  if (fstat(lock.get(), &handed) != 0 || ours.st_ino != handed.st_ino ||
      ours.st_dev != handed.st_dev) {
    return absl::InvalidArgumentError("what was handed over is not the lock of " + directory);
  }
  return SnapshotCache(directory, std::move(lock));
}

// What a write was killed over: never whole, and it may hold keys.
void SnapshotCache::RemoveLeftovers() const {
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool temporary = name.starts_with('.') && name.ends_with(".tmp") &&
                           name.find(".snapshot.") != std::string::npos;
    if (temporary || name == "next.snapshot") unlink(it->path().c_str());
  }
}

// next becomes current, current becomes previous. Stopped half-way, the previous one is whole.
absl::Status SnapshotCache::Rotate() const {
  RETURN_IF_ERROR(RenameFile(CurrentPath(), PreviousPath()));
  RETURN_IF_ERROR(RenameFile(NextPath(), CurrentPath()));
  return SyncFolder(directory_);
}

absl::Status SnapshotCache::Store(const v1::Version& version,
                                  const snapshot::Resources& resources) {
  v1::Snapshot message;
  *message.mutable_version() = version;
  for (const auto& resource : resources) *message.add_resources() = *resource;
  std::string body;
  if (!message.SerializeToString(&body) || body.size() > kFileBytesMax - kOverheadBytesMax) {
    return absl::ResourceExhaustedError("the snapshot is too large for the cache");
  }
  const std::string bytes = Encode(body);

  if (!current_root_.has_value()) {
    const auto current = ReadEntry(CurrentPath());
    current_root_ = current.ok() ? current->version.root() : "";
  }
  // A damaged current one must not push out a whole previous one; one with the same root (only the
  // number is new) must not push out the last different one.
  if (current_root_->empty() || *current_root_ == version.root()) {
    RETURN_IF_ERROR(base::WriteFileAtomically(CurrentPath(), bytes, 0600));
  } else {
    RETURN_IF_ERROR(base::WriteFileAtomically(NextPath(), bytes, 0600));
    current_root_.reset();  // Until the renames are known to be done.
    RETURN_IF_ERROR(Rotate());
  }
  current_root_ = version.root();
  return absl::OkStatus();
}

std::optional<SnapshotCache::Entry> SnapshotCache::FallBack(
    const std::function<bool(const Entry&)>& acceptable) {
  auto entry = ReadEntry(PreviousPath());
  if (!entry.ok() || !acceptable(*entry)) return std::nullopt;
  if (!RenameFile(PreviousPath(), CurrentPath()).ok()) return std::nullopt;
  SyncFolder(directory_).IgnoreError();  // Lost, it is done again.
  current_root_ = entry->version.root();
  return *std::move(entry);
}

std::optional<SnapshotCache::Entry> SnapshotCache::Load(std::string* problem) {
  for (const std::string& path : {CurrentPath(), PreviousPath()}) {
    auto entry = ReadEntry(path);
    if (path == CurrentPath()) current_root_ = entry.ok() ? entry->version.root() : "";
    if (entry.ok()) return *std::move(entry);
    if (absl::IsFailedPrecondition(entry.status())) seal_problem_ = entry.status();
    if (absl::IsNotFound(entry.status())) continue;
    if (!problem->empty()) *problem += "; ";
    *problem += std::string(entry.status().message());
  }
  return std::nullopt;
}

}  // namespace sluice::control
