// Which bytes may stand where (RFC 9110 section 5.6.2, RFC 9112 section 3, RFC 3986 appendix A).
//
// Hot path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::http {

namespace internal {

constexpr std::array<bool, 256> MakeTable(std::string_view extra) {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (const char c : extra) table[static_cast<unsigned char>(c)] = true;
  return table;
}

inline constexpr std::array<bool, 256> kToken = MakeTable("!#$%&'*+-.^_`|~");
// reg-name: unreserved, sub-delims; percent-encoding is refused, no client needs it.
inline constexpr std::array<bool, 256> kRegName = MakeTable("-._~!$&'()*+,;=");

}  // namespace internal

inline bool IsTokenChar(char c) { return internal::kToken[static_cast<unsigned char>(c)]; }
inline bool IsRegNameChar(char c) { return internal::kRegName[static_cast<unsigned char>(c)]; }
inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
// Field values: visible ASCII, space, HTAB, and bytes above 0x7f (obs-text).
inline bool IsFieldValueChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

inline bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!IsTokenChar(c)) return false;
  }
  return !text.empty();
}

// `lower` is in lower case.
inline bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (ToLower(text[i]) != lower[i]) return false;
  }
  return true;
}

inline std::string_view TrimOws(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether every byte may stand in a field value.
inline bool IsFieldValue(std::string_view text) {
  size_t i = 0;
#if defined(__SSE2__)
  const __m128i bound = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
    // Unsigned bytes up to 0x1f stay unchanged by the minimum with 0x1f.
    __m128i bad = _mm_cmpeq_epi8(_mm_min_epu8(bytes, bound), bytes);
    bad = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), bad);
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(bytes, del));
    if (_mm_movemask_epi8(bad) != 0) return false;
  }
#endif
  for (; i < text.size(); ++i) {
    if (!IsFieldValueChar(text[i])) return false;
  }
  return true;
}

}  // namespace sluice::http
