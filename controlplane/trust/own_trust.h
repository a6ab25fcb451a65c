// All that a controller with a CA of its own has: the CA, its server certificate, and the
// credential of the operator on this machine, made at the first start.
//
// In the data directory: trust/ for the controller, operator/ for whoever may read it (both 0700).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/trust/certificate_authority.h"
#include "controlplane/trust/server_identity.h"

namespace sluice::trust {

struct OwnTrustOptions {
  std::string data_dir;
  std::string grpc_address;        // ip:port.
  std::vector<std::string> names;  // Further names or addresses of the controller.
};

class OwnTrust {
 public:
  // `sealer` must outlive it.
  static absl::StatusOr<std::unique_ptr<OwnTrust>> Open(const OwnTrustOptions& options,
                                                        const Sealer& sealer, int64_t now_unix);

  const CertificateAuthority& authority() const { return *authority_; }
  ServerIdentity& server() { return *server_; }

  // A certificate of this controller, with its key, for calls that it passes on to the one who
  // leads: valid for kRelayLifetime.
  absl::StatusOr<TlsPair> IssueForRelay(int64_t now_unix) const;
  static constexpr std::chrono::hours kRelayLifetime{24 * 30};

  // operator/: context.yaml, operator.pem (certificate and key), ca.crt. Made anew when something
  // is missing or two thirds of its life (30 days) are used. To be called now and then.
  absl::Status KeepOperator(int64_t now_unix) const;

 private:
  explicit OwnTrust(OwnTrustOptions options) : options_(std::move(options)) {}

  const OwnTrustOptions options_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<ServerIdentity> server_;
};

}  // namespace sluice::trust
