#include "dataplane/enroll/node_certificate.h"

#include <errno.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/trust/identity.h"

namespace sluice::enroll {
namespace {

std::string PendingPath(const std::string& folder) { return folder + "/pending.key"; }

}  // namespace

absl::Status NodeCertificate::Prepare() const {
  RETURN_IF_ERROR(base::MakeDirectory(folder_, 0700));
  if (chmod(folder_.c_str(), 0700) != 0) return base::ErrnoStatus(errno, "chmod " + folder_);
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') && name.ends_with(".tmp")) unlink(it->path().c_str());
  }
  return absl::OkStatus();
}

absl::StatusOr<NodeCertificate::Validity> NodeCertificate::Load() const {
  ASSIGN_OR_RETURN(const std::string pem, base::ReadFile(path(), trust::kPemBytesMax));
  ASSIGN_OR_RETURN(const trust::X509Ptr certificate, trust::ParseCertificate(pem));
  ASSIGN_OR_RETURN(const trust::Identity identity, trust::IdentityOf(pem, trust::Authority::kOwn));
  return Validity{.node_id = identity.name,
                  .not_before_unix = trust::NotBefore(certificate.get()),
                  .not_after_unix = trust::NotAfter(certificate.get())};
}

absl::StatusOr<trust::KeyPtr> NodeCertificate::PendingKey() const {
  const auto pem = base::ReadFile(PendingPath(folder_), trust::kPemBytesMax);
  if (pem.ok()) {
    auto key = trust::ParseKey(*pem);
    if (key.ok()) return key;
  }
  ASSIGN_OR_RETURN(trust::KeyPtr key, trust::MakeKey());
  ASSIGN_OR_RETURN(const std::string text, trust::PemOf(key.get()));
  RETURN_IF_ERROR(base::WriteFileAtomically(PendingPath(folder_), text, 0600));
  return key;
}

absl::Status NodeCertificate::Store(const v1::EnrollResponse& response, EVP_PKEY* key,
                                    const std::string& node_id) const {
  ASSIGN_OR_RETURN(const trust::X509Ptr certificate,
                   trust::ParseCertificate(response.certificate_pem()));
  ASSIGN_OR_RETURN(const trust::X509Ptr ca, trust::ParseCertificate(response.ca_pem()));
  ASSIGN_OR_RETURN(const trust::Identity identity,
                   trust::IdentityOf(response.certificate_pem(), trust::Authority::kOwn));
  const bool fits = X509_check_private_key(certificate.get(), key) == 1 &&
                    X509_verify(certificate.get(), X509_get0_pubkey(ca.get())) == 1;
  ERR_clear_error();
  if (!fits || identity.kind != trust::Identity::Kind::kNode || identity.name != node_id) {
    return absl::DataLossError("the controller's answer is not for this node and its key");
  }
  ASSIGN_OR_RETURN(const std::string key_pem, trust::PemOf(key));
  RETURN_IF_ERROR(base::WriteFileAtomically(ca_path(), response.ca_pem(), 0600));
  RETURN_IF_ERROR(base::WriteFileAtomically(path(), response.certificate_pem() + key_pem, 0600));
  unlink(PendingPath(folder_).c_str());
  return absl::OkStatus();
}

}  // namespace sluice::enroll
