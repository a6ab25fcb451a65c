// OCSP responses that servers staple to their certificates (RFC 6960, RFC 6066 section 8).
//
// The responder's signature is for clients to check. Expiry is no error here: what to do about it
// is the reader's choice.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::config {

inline constexpr size_t kOcspBytesMax = 64 * 1024;

struct OcspFacts {
  // Clients believe it from the first until before the second.
  int64_t this_update_unix = 0;
  int64_t next_update_unix = 0;
  bool good = false;  // Neither revoked nor unknown.
};

// What `der` says about the leaf of `chain_pem`. An error if it is no successful response, says
// nothing about this certificate, or has no end: nobody could tell then when it is stale.
absl::StatusOr<OcspFacts> DescribeOcspResponse(std::string_view chain_pem, std::string_view der);

}  // namespace sluice::config
