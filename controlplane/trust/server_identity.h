// The controller's own certificate, renewed when two thirds of its life are used.
//
// Thread-safe: handshakes ask for it on gRPC's threads.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "controlplane/trust/certificate_authority.h"

namespace sluice::trust {

struct TlsPair {
  std::string chain_pem;  // Leaf first, the CA last: whoever joins knows only its fingerprint.
  std::string key_pem;
  std::string roots_pem;    // What clients' certificates are verified against.
  uint64_t generation = 0;  // Another one when the pair is another one.
};

class ServerIdentity {
 public:
  struct Options {
    std::string directory;
    std::vector<std::string> dns_names, ip_addresses;
    std::chrono::seconds lifetime{std::chrono::hours{90 * 24}};
  };

  // Keeps the certificate in the folder if it is for the same names and has life left. All must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<ServerIdentity>> Open(Options options,
                                                              const CertificateAuthority& authority,
                                                              const Sealer& sealer,
                                                              int64_t now_unix);

  // Renews first if that is due. Should renewing fail, the old one stays and the log says why.
  std::shared_ptr<const TlsPair> Current(int64_t now_unix);

 private:
  ServerIdentity(Options options, const CertificateAuthority& authority, const Sealer& sealer)
      : options_(std::move(options)), authority_(authority), sealer_(sealer) {}
  absl::Status Use(const std::string& pem);
  absl::Status Make(int64_t now_unix);
  bool IsDue(int64_t now_unix) const;
  std::string Path() const { return options_.directory + "/server.pem"; }

  const Options options_;
  const CertificateAuthority& authority_;
  const Sealer& sealer_;
  std::mutex mutex_;  // Guards what follows.
  std::shared_ptr<const TlsPair> pair_;
  std::vector<std::string> names_;  // Of the certificate, sorted.
  int64_t not_before_ = 0, not_after_ = 0;
  int64_t tried_ = 0;  // Renewing is tried once a minute.
};

}  // namespace sluice::trust
