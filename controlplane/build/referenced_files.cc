#include "controlplane/build/referenced_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "common/base/file.h"
#include "common/config/certificate.h"
#include "common/config/ocsp.h"

namespace sluice::build {
namespace {

using yaml::Mention;
using yaml::Quoted;

// The authorities of all services and upstreams together: each carries its own copy.
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

bool IsWithin(const std::string& path, const std::string& folder) {
  if (folder.empty()) return false;
  std::error_code error;
  const auto inner = std::filesystem::weakly_canonical(path, error);
  if (error) return true;  // What cannot be followed is not read either.
  const auto outer = std::filesystem::weakly_canonical(std::filesystem::path(folder) / "", error);
  if (error) return true;
  const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  // A folder that ends in a slash has an empty last part.
  return end == outer.end() || (end->empty() && std::next(end) == outer.end());
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
  const std::string on_disk = OnDisk(document_, path);
  if (IsWithin(on_disk, options_.private_folder)) {
    return absl::PermissionDeniedError("it lies in the controller's own folder");
  }
  return base::ReadFile(on_disk, config::kPemBytesMax);
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
    auto certificates_only = config::ChainIn(*chain);
    if (!certificates_only.ok()) {
      problems_->Error(
          files.certificate.place, files.certificate.path,
          fmt::format("{}: {}", Quoted(files.certificate.text), Text(certificates_only.status())));
      continue;
    }
    if (const absl::Status status = config::CheckKey(*chain, *key); !status.ok()) {
      problems_->Error(files.key.place, files.key.path,
                       fmt::format("{}: {}", Quoted(files.key.text), Text(status)));
      continue;
    }
    v1::Certificate& certificate = certificates.emplace_back();
    certificate.set_name(files.certificate.text);
    certificate.set_chain_pem(*std::move(certificates_only));
    certificate.set_key_pem(*key);
    CheckExpiry(certificate, files.certificate);
    if (files.ocsp) ReadOcsp(*files.ocsp, &certificate);
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

void ReferencedFiles::ReadOcsp(const Mention& mention, v1::Certificate* certificate) {
  const std::string* der = Read(mention);
  if (der == nullptr) return;
  const auto facts = config::DescribeOcspResponse(certificate->chain_pem(), *der);
  if (!facts.ok()) {
    problems_->Error(mention.place, mention.path,
                     fmt::format("{}: {}", Quoted(mention.text), Text(facts.status())));
    return;
  }
  certificate->set_ocsp_der(*der);
  const int64_t now = options_.now_unix != 0 ? options_.now_unix : std::time(nullptr);
  if (facts->next_update_unix <= now) {
    problems_->Warn(mention.place, mention.path,
                    fmt::format("{} expired on {} and is not stapled; fetch a new OCSP response",
                                Quoted(mention.text), DateOf(facts->next_update_unix)));
  } else if (facts->this_update_unix > now) {
    problems_->Warn(mention.place, mention.path,
                    fmt::format("{} is not valid before {} and is not stapled until then",
                                Quoted(mention.text), DateOf(facts->this_update_unix)));
  } else if (!facts->good) {
    problems_->Warn(mention.place, mention.path,
                    fmt::format("{} does not say that the certificate is good; clients will refuse "
                                "it, replace the certificate",
                                Quoted(mention.text)));
  }
}

const std::string* ReferencedFiles::ReadAuthority(const Mention& mention) {
  const std::string* pem = Read(mention);
  if (pem == nullptr) return nullptr;
  const auto [known, inserted] = authorities_.emplace(mention.text, std::nullopt);
  if (inserted) {
    auto certificates_only = config::CaBundleIn(*pem);
    if (certificates_only.ok()) {
      known->second = *std::move(certificates_only);
    } else {
      problems_->Error(
          mention.place, mention.path,
          fmt::format("{}: {}", Quoted(mention.text), Text(certificates_only.status())));
    }
  }
  if (!known->second) return nullptr;
  const bool fitted = authority_bytes_ <= kAuthorityBytesMax;
  authority_bytes_ += known->second->size();
  if (authority_bytes_ <= kAuthorityBytesMax) return &*known->second;
  if (fitted) {
    problems_->Error(mention.place, mention.path,
                     "the authorities of all services and upstreams together exceed 32 MiB; name "
                     "fewer in a file");
  }
  return nullptr;
}

void ReferencedFiles::ReadAuthorities(yaml::Draft* draft) {
  for (yaml::ServiceDraft& service : draft->services) {
    if (!service.client_ca) continue;
    const std::string* pem = ReadAuthority(*service.client_ca);
    if (pem == nullptr) continue;
    service.listener.mutable_tls()->mutable_client_auth()->set_ca_pem(*pem);
  }
  for (yaml::UpstreamDraft& upstream : draft->upstreams) {
    if (!upstream.ca) continue;
    const std::string* pem = ReadAuthority(*upstream.ca);
    if (pem != nullptr) upstream.cluster.mutable_tls()->set_ca_pem(*pem);
  }
}

}  // namespace sluice::build
