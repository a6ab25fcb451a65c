#include "dataplane/exchange/trace_context.h"

#include <cstdint>
#include <cstring>

namespace sluice::exchange {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void WriteHex(uint64_t value, char* out) {
  for (int i = 15; i >= 0; --i) *out++ = kHex[value >> (4 * i) & 0xf];
}

// Lower-case hex, not all zeros.
bool IsId(std::string_view text) {
  bool zero = true;
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    zero = zero && c == '0';
  }
  return !zero;
}

bool IsHexByte(std::string_view text) { return IsId(text) || text == "00"; }

// version "-" trace-id "-" parent-id "-" flags; later versions may append "-" and more.
bool IsValid(std::string_view text) {
  if (text.size() < kTraceparentChars || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return false;
  }
  const std::string_view version = text.substr(0, 2);
  if (!IsHexByte(version) || version == "ff") return false;
  if (text.size() > kTraceparentChars && (version == "00" || text[kTraceparentChars] != '-')) {
    return false;
  }
  return IsId(text.substr(3, kTraceIdChars)) && IsId(text.substr(36, 16)) &&
         IsHexByte(text.substr(53, 2));
}

}  // namespace

bool WriteTraceparent(std::string_view received, base::Random& random, char* out) {
  const bool continued = IsValid(received);
  std::memcpy(out, "00-", 3);
  if (continued) {
    std::memcpy(out + 3, received.data() + 3, kTraceIdChars);
  } else {
    WriteHex(random.Next() | 1, out + 3);
    WriteHex(random.Next(), out + 19);
  }
  out[35] = '-';
  WriteHex(random.Next() | 1, out + 36);
  out[52] = '-';
  // A trace begun here is sampled: services that sample by their parent keep doing so.
  std::memcpy(out + 53, continued ? received.data() + 53 : "01", 2);
  return continued;
}

}  // namespace sluice::exchange
