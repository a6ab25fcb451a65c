// Which bytes may stand where (RFC 9110 section 5.6.2, RFC 9112 section 3, RFC 3986 appendix A).
//
// On the hot path of h1_parser.h.
#pragma once

#include <array>
#include <bit>
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

constexpr std::array<int8_t, 256> MakeHexTable() {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 10; ++i) table['0' + i] = static_cast<int8_t>(i);
  for (int i = 0; i < 6; ++i) table['a' + i] = table['A' + i] = static_cast<int8_t>(10 + i);
  return table;
}
inline constexpr std::array<int8_t, 256> kHex = MakeHexTable();

}  // namespace internal

inline bool IsTokenChar(char c) { return internal::kToken[static_cast<unsigned char>(c)]; }
inline bool IsRegNameChar(char c) { return internal::kRegName[static_cast<unsigned char>(c)]; }
inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// -1 for what is no hexadecimal digit.
inline int HexValue(char c) { return internal::kHex[static_cast<unsigned char>(c)]; }
// Field values: visible ASCII, space, HTAB, and bytes above 0x7f (obs-text).
inline bool IsFieldValueChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
// Request targets: visible ASCII but no fragment.
inline bool IsTargetChar(char c) { return c > 0x20 && c < 0x7f && c != '#'; }
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

inline bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!IsTokenChar(c)) return false;
  }
  return !text.empty();
}

// Letters of either case are equal.
inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (ToLower(a[i]) != ToLower(b[i])) return false;
  }
  return true;
}

// The same where `lower` is known to be in lower case.
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

// The first byte that is not a token's; `end` if there is none.
inline const char* FindTokenEnd(const char* at, const char* end) {
  while (at != end && IsTokenChar(*at)) ++at;
  return at;
}

// The first byte that may not stand in a field value, mostly the CR after it; `end` if there is
// none.
inline const char* FindFieldValueEnd(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i control_max = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Controls are what the unsigned minimum with 0x1f leaves unchanged.
    __m128i bad = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control_max), bytes);
    bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), bad), _mm_cmpeq_epi8(bytes, del));
    const int mask = _mm_movemask_epi8(bad);
    if (mask != 0) return at + std::countr_zero(static_cast<unsigned>(mask));
  }
#endif
  while (at != end && IsFieldValueChar(*at)) ++at;
  return at;
}

// The first byte that may not stand in a request target, mostly the space after it.
inline const char* FindTargetEnd(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i visible_min = _mm_set1_epi8(0x21);
  const __m128i hash = _mm_set1_epi8('#');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Signed: bytes from 0x80 are below, too.
    __m128i bad = _mm_cmplt_epi8(bytes, visible_min);
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(bytes, hash));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(bytes, del));
    const int mask = _mm_movemask_epi8(bad);
    if (mask != 0) return at + std::countr_zero(static_cast<unsigned>(mask));
  }
#endif
  while (at != end && IsTargetChar(*at)) ++at;
  return at;
}

}  // namespace sluice::http
