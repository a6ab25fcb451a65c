// What a proxy sends to have its key certified (PKCS #10).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/trust/pem.h"

namespace sluice::trust {

inline constexpr size_t kSigningRequestBytesMax = 16 * 1024;

// PEM. It names nobody: who it is for is said beside it and decided by who signs.
absl::StatusOr<std::string> MakeSigningRequest(EVP_PKEY* key);

// The public key in it. Whoever sent it has proven to have the private one. ECDSA P-256 and better
// or RSA of 2048 bits and more, else kInvalidArgument.
absl::StatusOr<KeyPtr> KeyOfSigningRequest(std::string_view pem);

}  // namespace sluice::trust
