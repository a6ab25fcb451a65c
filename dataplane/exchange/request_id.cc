#include "dataplane/exchange/request_id.h"

#include <array>

namespace sluice::exchange {
namespace {

constexpr char kHex[] = "0123456789abcdef";

char* WriteHex(uint64_t value, int digits, char* out) {
  for (int i = digits - 1; i >= 0; --i) *out++ = kHex[value >> (4 * i) & 0xf];
  return out;
}

constexpr std::array<bool, 256> kSafe = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (const char c : std::string_view("-._~+/=:@")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

}  // namespace

void WriteUuidV7(int64_t unix_micros, base::Random& random, char* out) {
  const uint64_t millis = static_cast<uint64_t>(unix_micros / 1000);
  const uint64_t a = random.Next();
  const uint64_t b = random.Next();
  out = WriteHex(millis >> 16 & 0xffffffff, 8, out);
  *out++ = '-';
  out = WriteHex(millis & 0xffff, 4, out);
  *out++ = '-';
  out = WriteHex(0x7000 | (a & 0x0fff), 4, out);
  *out++ = '-';
  out = WriteHex(0x8000 | (a >> 16 & 0x3fff), 4, out);
  *out++ = '-';
  WriteHex(b & 0xffffffffffff, 12, out);
}

bool IsSafeRequestId(std::string_view id) {
  if (id.empty() || id.size() > kRequestIdCharsMax) return false;
  for (const char c : id) {
    if (!kSafe[static_cast<unsigned char>(c)]) return false;
  }
  return true;
}

}  // namespace sluice::exchange
