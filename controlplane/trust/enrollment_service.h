// Certificates for proxies: the first for a join token, the next for the one before.
//
// gRPC's synchronous API; enrolments are made one at a time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <mutex>
#include <string>

#include "controlplane/trust/certificate_authority.h"
#include "controlplane/trust/guard.h"
#include "sluice/v1/enrollment_service.grpc.pb.h"

namespace sluice::trust {

class EnrollmentService final : public v1::EnrollmentService::Service {
 public:
  // All must outlive the server. `authority` null: proxies get their certificates elsewhere, and
  // every call says so.
  EnrollmentService(Guard& guard, store::TrustStore& trust, store::VersionStore& audit,
                    const CertificateAuthority* authority, std::chrono::seconds lifetime)
      : guard_(guard), trust_(trust), audit_(audit), authority_(authority), lifetime_(lifetime) {}

  grpc::Status Enroll(grpc::ServerContext*, const v1::EnrollRequest*, v1::EnrollResponse*) override;
  grpc::Status Renew(grpc::ServerContext*, const v1::RenewRequest*, v1::EnrollResponse*) override;

 private:
  absl::Status Join(const Caller& caller, const v1::EnrollRequest& request,
                    v1::EnrollResponse* response);
  absl::Status Certify(const store::EnrolledNode& node, EVP_PKEY* key, int64_t now_unix_ms,
                       v1::EnrollResponse* response) const;
  void Audit(const Caller& caller, const std::string& node_id, const std::string& detail);

  Guard& guard_;
  store::TrustStore& trust_;
  store::VersionStore& audit_;
  const CertificateAuthority* const authority_;
  const std::chrono::seconds lifetime_;
  std::mutex joining_;  // Held from looking at a token or an enrolment to what follows from it.
};

}  // namespace sluice::trust
