// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::base {

// Bytes of the character that `text` begins with; 0 when it begins with none.
inline size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  if (text.empty()) return 0;
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  const uint8_t second = byte(1);
  if (first == 0xE0 && second < 0xA0) return 0;  // Overlong.
  if (first == 0xED && second > 0x9F) return 0;  // Surrogate.
  if (first == 0xF0 && second < 0x90) return 0;  // Overlong.
  if (first == 0xF4 && second > 0x8F) return 0;  // Above U+10FFFF.
  if (!continues(2)) return 0;
  if (first < 0xF0) return 3;
  return continues(3) ? 4 : 0;
}

inline bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace sluice::base
