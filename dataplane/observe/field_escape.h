// Strangers' bytes made harmless for a line of the access log.
//
// Hot path.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::observe {

// The most that one byte can become: \u00XX.
inline constexpr size_t kEscapedBytesMax = 6;

// Writes `text` as the inside of a JSON string to `out`, which has room for kEscapedBytesMax times
// its size; returns the end. Valid UTF-8 stays; control characters (C1 too) are escaped; a byte
// that is not part of valid UTF-8 becomes \u00XX, so the result is always valid.
char* EscapeJson(std::string_view text, char* out);

// For text lines: quotes, backslashes and everything outside printable ASCII become \xXX (four
// bytes).
char* EscapeText(std::string_view text, char* out);

}  // namespace sluice::observe
