#include "dataplane/observe/field_escape.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "common/base/utf8.h"

namespace sluice::observe {
namespace {

constexpr char kHex[] = "0123456789abcdef";

constexpr bool IsPlain(uint8_t byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

constexpr std::array<bool, 256> MakePlain() {
  std::array<bool, 256> plain{};
  for (size_t i = 0; i < plain.size(); ++i) plain[i] = IsPlain(static_cast<uint8_t>(i));
  return plain;
}
constexpr std::array<bool, 256> kPlain = MakePlain();

constexpr uint64_t kOnes = 0x0101010101010101u;
constexpr uint64_t kHighs = 0x8080808080808080u;

// High bits set where a byte of `word` is zero; only then the result is not 0.
constexpr uint64_t ZeroBytes(uint64_t word) { return (word - kOnes) & ~word & kHighs; }

// Whether all eight bytes can be copied as they are. May be pessimistic for 0x7f and its
// neighbours' sake.
constexpr bool AllPlain(uint64_t word) {
  const uint64_t control = (word - kOnes * 0x20) & ~word;
  const uint64_t quote = ZeroBytes(word ^ (kOnes * '"'));
  const uint64_t backslash = ZeroBytes(word ^ (kOnes * '\\'));
  const uint64_t high_or_delete = word | (word + kOnes);
  return ((control | quote | backslash | high_or_delete) & kHighs) == 0;
}

char* EscapeByteJson(uint8_t byte, char* out) {
  *out++ = '\\';
  switch (byte) {
    case '"':
    case '\\':
      *out++ = static_cast<char>(byte);
      return out;
    case '\n':
      *out++ = 'n';
      return out;
    case '\r':
      *out++ = 'r';
      return out;
    case '\t':
      *out++ = 't';
      return out;
    default:
      std::memcpy(out, "u00", 3);
      out[3] = kHex[byte >> 4];
      out[4] = kHex[byte & 15];
      return out + 5;
  }
}

char* EscapeByteText(uint8_t byte, char* out) {
  *out++ = '\\';
  *out++ = 'x';
  *out++ = kHex[byte >> 4];
  *out++ = kHex[byte & 15];
  return out;
}

// Bytes of the character above ASCII that `at` begins with; 0 if there is none, or if it is a C1
// control character (U+0080 to U+009F).
size_t CharacterBytes(const char* at, const char* end) {
  const size_t length = base::Utf8Length({at, static_cast<size_t>(end - at)});
  const bool is_control = length == 2 && at[0] == '\xc2' && static_cast<uint8_t>(at[1]) < 0xa0;
  return is_control ? 0 : length;
}

template <bool kKeepUtf8, typename EscapeByte>
char* Escape(std::string_view text, char* out, EscapeByte escape_byte) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    uint64_t word;
    while (end - at >= 8 && (std::memcpy(&word, at, 8), AllPlain(word))) {
      std::memcpy(out, at, 8);
      at += 8;
      out += 8;
    }
    // Up to eight by hand: what stopped the loop, or the rest.
    for (int i = 0; i < 8 && at < end; ++i) {
      const auto byte = static_cast<uint8_t>(*at);
      if (kPlain[byte]) {
        *out++ = *at++;
        continue;
      }
      const size_t sequence = kKeepUtf8 && byte >= 0x80 ? CharacterBytes(at, end) : 0;
      if (sequence == 0) {
        out = escape_byte(byte, out);
        ++at;
        continue;
      }
      for (size_t j = 0; j < sequence; ++j) *out++ = *at++;
    }
  }
  return out;
}

}  // namespace

char* EscapeJson(std::string_view text, char* out) {
  return Escape<true>(text, out, EscapeByteJson);
}

char* EscapeText(std::string_view text, char* out) {
  return Escape<false>(text, out, EscapeByteText);
}

}  // namespace sluice::observe
