#include "dataplane/tls/staples.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include "common/config/ocsp.h"

namespace sluice::tls {

absl::Status Staples::Add(const v1::Certificate& source, const ParsedCertificate& parsed) {
  if (source.ocsp_der().empty()) return absl::OkStatus();
  const auto facts = config::DescribeOcspResponse(source.chain_pem(), source.ocsp_der());
  if (!facts.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("certificate {}: {}", parsed.name, std::string(facts.status().message())));
  }
  X509* leaf = parsed.leaf.get();
  X509_up_ref(leaf);
  staples_.emplace(leaf, Staple{.leaf = X509Ptr(leaf),
                                .der = source.ocsp_der(),
                                .from_unix = facts->this_update_unix,
                                .until_unix = facts->next_update_unix});
  return absl::OkStatus();
}

bool Staples::Answer(SSL* ssl, int64_t now_unix) const {
  // The very object the context was given: OpenSSL counts references to it.
  const auto found = staples_.find(SSL_get_certificate(ssl));
  if (found == staples_.end()) return false;
  const Staple& staple = found->second;
  if (now_unix < staple.from_unix || now_unix >= staple.until_unix) return false;
  void* copy = OPENSSL_memdup(staple.der.data(), staple.der.size());
  if (copy == nullptr) return false;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.der.size()));  // Takes it.
  return true;
}

}  // namespace sluice::tls
