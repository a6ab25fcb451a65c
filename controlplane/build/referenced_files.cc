#include "controlplane/build/referenced_files.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "common/base/file.h"
#include "common/config/certificate.h"

namespace sluice::build {
namespace {

using yaml::Mention;
using yaml::Quoted;

// The authorities of all upstreams together: each carries its own copy.
constexpr size_t kAuthorityBytesMax = 32 * 1024 * 1024;
constexpr int64_t kExpiresSoonSeconds = 30 * 24 * 60 * 60;

std::string Text(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

std::string DateOf(int64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

// Paths are relative to the document's folder.
std::string OnDisk(const v1::Document& document, const std::string& path) {
  if (path.starts_with('/') || document.files().empty()) return path;
  const std::string& file = document.files(0).path();
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? path : file.substr(0, slash + 1) + path;
}

}  // namespace

ReferencedFiles::ReferencedFiles(const v1::Document& document, const BuildOptions& options,
                                 yaml::Problems* problems)
    : document_(document), options_(options), problems_(problems) {
  for (const v1::SourceFile& file : document.referenced()) {
    sent_along_.emplace(file.path(), &file.content());
  }
}

absl::StatusOr<std::string> ReferencedFiles::Load(const std::string& path) const {
  if (!options_.read_disk) return absl::NotFoundError("it was not sent along with the document");
  return base::ReadFile(OnDisk(document_, path), config::kPemBytesMax);
}

const std::string* ReferencedFiles::Read(const Mention& mention) {
  if (const auto sent = sent_along_.find(mention.text); sent != sent_along_.end()) {
    return sent->second;
  }
  auto known = loaded_.find(mention.text);
  if (known == loaded_.end()) known = loaded_.emplace(mention.text, Load(mention.text)).first;
  if (known->second.ok()) return &*known->second;
  problems_->Error(mention.place, mention.path,
                   fmt::format("cannot read {}: {}; the controller must be able to read it",
                               Quoted(mention.text), Text(known->second.status())));
  return nullptr;
}

std::vector<v1::Certificate> ReferencedFiles::ReadCertificates(const yaml::Draft& draft) {
  std::vector<v1::Certificate> certificates;
  for (const yaml::CertificateFiles& files : draft.certificates) {
    const std::string* chain = Read(files.certificate);
    const std::string* key = Read(files.key);
    if (chain == nullptr || key == nullptr) continue;
    if (const absl::Status status = config::CheckChain(*chain); !status.ok()) {
      problems_->Error(files.certificate.place, files.certificate.path,
                       fmt::format("{}: {}", Quoted(files.certificate.text), Text(status)));
      continue;
    }
    if (const absl::Status status = config::CheckKey(*chain, *key); !status.ok()) {
      problems_->Error(files.key.place, files.key.path,
                       fmt::format("{}: {}", Quoted(files.key.text), Text(status)));
      continue;
    }
    v1::Certificate& certificate = certificates.emplace_back();
    certificate.set_name(files.certificate.text);
    certificate.set_chain_pem(*chain);
    certificate.set_key_pem(*key);
    CheckExpiry(certificate, files.certificate);
  }
  return certificates;
}

void ReferencedFiles::CheckExpiry(const v1::Certificate& certificate, const Mention& mention) {
  const auto info = config::DescribeCertificate(certificate);
  if (!info.ok()) return;
  const int64_t now = options_.now_unix != 0 ? options_.now_unix : std::time(nullptr);
  const int64_t end = info->not_after_unix();
  if (end <= now) {
    problems_->Warn(mention.place, mention.path,
                    fmt::format("{} expired on {}; clients will refuse it, renew it",
                                Quoted(mention.text), DateOf(end)));
  } else if (end - now < kExpiresSoonSeconds) {
    problems_->Warn(mention.place, mention.path,
                    fmt::format("{} expires on {}; renew it", Quoted(mention.text), DateOf(end)));
  } else if (info->not_before_unix() > now) {
    problems_->Warn(mention.place, mention.path,
                    fmt::format("{} is not valid before {}; clients will refuse it until then",
                                Quoted(mention.text), DateOf(info->not_before_unix())));
  }
}

void ReferencedFiles::ReadAuthorities(yaml::Draft* draft) {
  // Thousands of upstreams may share one bundle.
  std::unordered_map<std::string, bool> checked;
  size_t bytes = 0;
  for (yaml::UpstreamDraft& upstream : draft->upstreams) {
    if (!upstream.ca) continue;
    const std::string* pem = Read(*upstream.ca);
    if (pem == nullptr) continue;
    const auto [known, inserted] = checked.emplace(upstream.ca->text, false);
    if (inserted) {
      const absl::Status status = config::CheckCaBundle(*pem);
      known->second = status.ok();
      if (!status.ok()) {
        problems_->Error(upstream.ca->place, upstream.ca->path,
                         fmt::format("{}: {}", Quoted(upstream.ca->text), Text(status)));
      }
    }
    if (!known->second) continue;
    bytes += pem->size();
    if (bytes > kAuthorityBytesMax) {
      problems_->Error(
          upstream.ca->place, upstream.ca->path,
          "the authorities of all upstreams together exceed 32 MiB; name fewer in a file");
      return;
    }
    upstream.cluster.mutable_tls()->set_ca_pem(*pem);
  }
}

}  // namespace sluice::build
