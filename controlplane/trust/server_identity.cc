#include "controlplane/trust/server_identity.h"

#include <algorithm>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/config/certificate.h"

namespace sluice::trust {
namespace {

constexpr char kPurpose[] = "server.pem";
constexpr int64_t kRetrySeconds = 60;

}  // namespace

absl::StatusOr<std::unique_ptr<ServerIdentity>> ServerIdentity::Open(
    Options options, const CertificateAuthority& authority, const Sealer& sealer,
    int64_t now_unix) {
  std::unique_ptr<ServerIdentity> identity(
      new ServerIdentity(std::move(options), authority, sealer));
  std::vector<std::string> wanted = identity->options_.dns_names;
  wanted.insert(wanted.end(), identity->options_.ip_addresses.begin(),
                identity->options_.ip_addresses.end());
  std::sort(wanted.begin(), wanted.end());
  const std::lock_guard lock(identity->mutex_);
  const auto sealed = base::ReadFile(identity->Path(), kPemBytesMax);
  // Whatever is wrong with it, a new one takes its place: nobody has to know the old one.
  const auto pem = sealed.ok() ? sealer.Open(*sealed, kPurpose) : sealed;
  if (!pem.ok() || !identity->Use(*pem).ok() || identity->names_ != wanted ||
      identity->IsDue(now_unix)) {
    RETURN_IF_ERROR(identity->Make(now_unix));
  }
  return identity;
}

absl::Status ServerIdentity::Use(const std::string& pem) {
  ASSIGN_OR_RETURN(const X509Ptr certificate, ParseCertificate(pem));
  ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(pem));
  ASSIGN_OR_RETURN(const X509Ptr ca, ParseCertificate(authority_.certificate_pem()));
  if (X509_check_private_key(certificate.get(), key.get()) != 1 ||
      X509_verify(certificate.get(), X509_get0_pubkey(ca.get())) != 1) {
    return OpenSslError("the certificate in server.pem");
  }
  auto pair = std::make_shared<TlsPair>();
  ASSIGN_OR_RETURN(pair->chain_pem, PemOf(certificate.get()));
  pair->chain_pem += authority_.certificate_pem();
  ASSIGN_OR_RETURN(pair->key_pem, PemOf(key.get()));
  pair->roots_pem = authority_.certificate_pem();
  pair->generation = pair_ == nullptr ? 1 : pair_->generation + 1;
  v1::Certificate described;
  described.set_chain_pem(pair->chain_pem);
  ASSIGN_OR_RETURN(const v1::CertificateInfo info, config::DescribeCertificate(described));
  names_.assign(info.dns_names().begin(), info.dns_names().end());
  std::sort(names_.begin(), names_.end());
  not_before_ = info.not_before_unix();
  not_after_ = info.not_after_unix();
  pair_ = std::move(pair);
  return absl::OkStatus();
}

bool ServerIdentity::IsDue(int64_t now_unix) const {
  return now_unix >= not_before_ + (not_after_ - not_before_) * 2 / 3;
}

absl::Status ServerIdentity::Make(int64_t now_unix) {
  ASSIGN_OR_RETURN(const KeyPtr key, MakeKey());
  ASSIGN_OR_RETURN(const std::string certificate,
                   authority_.Issue(key.get(),
                                    {.use = CertificateRequest::Use::kServer,
                                     .common_name = "sluice-controller",
                                     .dns_names = options_.dns_names,
                                     .ip_addresses = options_.ip_addresses,
                                     .uris = {},
                                     .lifetime = options_.lifetime},
                                    now_unix));
  ASSIGN_OR_RETURN(const std::string key_pem, PemOf(key.get()));
  const std::string pem = certificate + key_pem;
  RETURN_IF_ERROR(base::WriteFileAtomically(Path(), sealer_.Seal(pem, kPurpose), 0600));
  return Use(pem);
}

std::shared_ptr<const TlsPair> ServerIdentity::Current(int64_t now_unix) {
  const std::lock_guard lock(mutex_);
  if (!IsDue(now_unix) || now_unix - tried_ < kRetrySeconds) return pair_;
  tried_ = now_unix;
  if (const absl::Status status = Make(now_unix); status.ok()) {
    base::LogInfo("the controller's certificate has been renewed");
    tried_ = 0;
  } else {
    base::LogError("renewing the controller's certificate: {}", std::string(status.message()));
  }
  return pair_;
}

}  // namespace sluice::trust
