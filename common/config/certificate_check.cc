#include "common/config/certificate.h"
#include "common/config/checks.h"
#include "common/config/ocsp.h"
#include "common/config/words.h"

namespace sluice::config {
namespace {

constexpr size_t kPathBytesMax = 4096;

}  // namespace

void CheckCertificate(const v1::Certificate& certificate, ResourceErrors errors) {
  const std::string& name = certificate.name();  // A file's path: freer than other names.
  if (name.empty() || name.size() > kPathBytesMax || !FieldValueProblem(name).empty()) {
    errors.Add("name", "the name must be the path of the certificate's file");
  }
  const absl::Status chain = CheckChain(certificate.chain_pem());
  if (!chain.ok()) errors.Add("chain_pem", std::string(chain.message()));
  // Without a chain, only what is wrong with the key itself could be said.
  const absl::Status key = CheckKey(certificate.chain_pem(), certificate.key_pem());
  if (chain.ok() && !key.ok()) errors.Add("key_pem", std::string(key.message()));
  if (!chain.ok() || certificate.ocsp_der().empty()) return;
  const auto ocsp = DescribeOcspResponse(certificate.chain_pem(), certificate.ocsp_der());
  if (!ocsp.ok()) errors.Add("ocsp_der", std::string(ocsp.status().message()));
}

}  // namespace sluice::config
