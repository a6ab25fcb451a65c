// Making, listing and revoking tokens, for admins.
//
// gRPC's synchronous API.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "controlplane/trust/certificate_authority.h"
#include "controlplane/trust/guard.h"
#include "sluice/v1/token_service.grpc.pb.h"

namespace sluice::trust {

class TokenService final : public v1::TokenService::Service {
 public:
  static constexpr uint64_t kTtlSecondsMax = uint64_t{10} * 366 * 24 * 3600;

  // All must outlive the server. `authority` null: join tokens are of no use and are refused.
  TokenService(Guard& guard, store::TrustStore& trust, store::VersionStore& audit,
               const CertificateAuthority* authority)
      : guard_(guard), trust_(trust), audit_(audit), authority_(authority) {}

  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest*,
                           v1::CreateTokenResponse*) override;
  grpc::Status ListTokens(grpc::ServerContext*, const v1::ListTokensRequest*,
                          v1::ListTokensResponse*) override;
  grpc::Status RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest*,
                           v1::RevokeTokenResponse*) override;

 private:
  absl::Status Check(const v1::CreateTokenRequest& request) const;
  absl::Status Audit(const Caller& caller, const std::string& action, const std::string& detail);

  Guard& guard_;
  store::TrustStore& trust_;
  store::VersionStore& audit_;
  const CertificateAuthority* const authority_;
};

}  // namespace sluice::trust
