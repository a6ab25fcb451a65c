// X-Request-ID: made here as a UUIDv7 (RFC 9562 section 5.7), or kept from a trusted peer.
//
// Hot path.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/random.h"

namespace sluice::exchange {

inline constexpr size_t kUuidChars = 36;
inline constexpr size_t kRequestIdCharsMax = 128;

// Writes kUuidChars characters.
void WriteUuidV7(int64_t unix_micros, base::Random& random, char* out);

// Letters, digits and -._~+/=:@ only, at most kRequestIdCharsMax: safe in headers, logs and
// terminals.
bool IsSafeRequestId(std::string_view id);

}  // namespace sluice::exchange
