// The controller's own CA: made at the first start, kept in a private folder.
//
// Thread-safe once open. The key is sealed on disk. Stopped at any moment, the folder holds either
// no CA, a key that has certified nothing yet, or the whole CA.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trust/pem.h"
#include "common/trust/seal.h"

namespace sluice::trust {

// Makes `directory` (0700) if need be, and removes what an interrupted write left in it.
absl::Status PreparePrivateFolder(const std::string& directory);

struct CertificateRequest {
  enum class Use { kServer, kClient };
  Use use = Use::kClient;
  std::string common_name;  // For people; cut to what X.509 allows.
  std::vector<std::string> dns_names, ip_addresses, uris;
  std::chrono::seconds lifetime{0};
  // Hexadecimal, at most 8 bytes, the first between 01 and 7f: what the serial number begins with.
  std::string serial_prefix = "01";
};

class CertificateAuthority {
 public:
  static constexpr std::chrono::hours kLifetime{24 * 3652};  // Ten years.

  // A certificate without its key, or a key sealed with another seal key, is an error: nobody
  // guesses about a CA.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> Open(const std::string& directory,
                                                                    const Sealer& sealer,
                                                                    int64_t now_unix);

  // PEM of a new certificate for `key`. It is valid from a little earlier (a tenth of its life, at
  // most five minutes), since clocks differ.
  absl::StatusOr<std::string> Issue(EVP_PKEY* key, const CertificateRequest& request,
                                    int64_t now_unix) const;

  const std::string& certificate_pem() const { return certificate_pem_; }
  // SHA-256 of the certificate, 32 raw bytes: what join tokens carry.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  CertificateAuthority() = default;

  KeyPtr key_;
  X509Ptr certificate_;
  std::string certificate_pem_, fingerprint_;
};

}  // namespace sluice::trust
