// This node's certificate and key on disk, in a private folder of the state directory.
//
// Blocking file access, one thread at a time. Certificate and key are one file, so that they are
// replaced together: whoever reads it has a pair that fits.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/trust/pem.h"
#include "sluice/v1/enrollment_service.pb.h"

namespace sluice::enroll {

class NodeCertificate {
 public:
  struct Validity {
    std::string node_id;
    int64_t not_before_unix = 0, not_after_unix = 0;
  };

  explicit NodeCertificate(const std::string& state_dir) : folder_(state_dir + "/identity") {}

  // PEM: the certificate, then its key. Its CA.
  std::string path() const { return folder_ + "/node.pem"; }
  std::string ca_path() const { return folder_ + "/ca.crt"; }

  // Makes the folder (0700); removes what an interrupted write left.
  absl::Status Prepare() const;

  // kNotFound: there is none yet.
  absl::StatusOr<Validity> Load() const;

  // The key to enrol with, the same until Store: an enrolment that was interrupted goes on with it.
  absl::StatusOr<trust::KeyPtr> PendingKey() const;

  // Checks that the answer is for `key` and `node_id` and made by the CA in it, then keeps both.
  absl::Status Store(const v1::EnrollResponse& response, EVP_PKEY* key,
                     const std::string& node_id) const;

 private:
  const std::string folder_;
};

}  // namespace sluice::enroll
