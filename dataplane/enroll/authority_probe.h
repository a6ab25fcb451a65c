// Finds the CA of a controller by its fingerprint, which a join token carries.
//
// Nothing is said to the controller but the TLS handshake, and nothing it says is believed but a
// certificate with that SHA-256.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace sluice::enroll {

// PEM. `fingerprint`: 32 raw bytes. Blocks, no longer than `timeout` for each address of the host
// and hardly longer than until `stopped` is true. kFailedPrecondition: whoever answers there has
// another CA.
absl::StatusOr<std::string> FindAuthority(const std::string& controller,
                                          const std::string& fingerprint,
                                          std::chrono::milliseconds timeout,
                                          const std::function<bool()>& stopped);

}  // namespace sluice::enroll
