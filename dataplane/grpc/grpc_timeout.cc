#include "dataplane/grpc/grpc_timeout.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "dataplane/http/char_class.h"

namespace sluice::grpc {
namespace {

constexpr size_t kDigitsMax = 8;
constexpr int64_t kValueMax = 99'999'999;

constexpr int64_t RoundedUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit; }

}  // namespace

std::optional<std::chrono::milliseconds> ParseTimeout(std::string_view value) {
  if (value.size() < 2 || value.size() > kTimeoutCharsMax) return std::nullopt;
  int64_t amount = 0;
  for (const char c : value.substr(0, value.size() - 1)) {
    if (!http::IsDigit(c)) return std::nullopt;
    amount = amount * 10 + (c - '0');
  }
  switch (value.back()) {
    case 'H':
      return std::chrono::hours(amount);
    case 'M':
      return std::chrono::minutes(amount);
    case 'S':
      return std::chrono::seconds(amount);
    case 'm':
      return std::chrono::milliseconds(amount);
    case 'u':
      return std::chrono::milliseconds(RoundedUp(amount, 1000));
    case 'n':
      return std::chrono::milliseconds(RoundedUp(amount, 1'000'000));
    default:
      return std::nullopt;
  }
}

size_t WriteTimeout(std::chrono::milliseconds timeout, char* out) {
  struct Unit {
    int64_t millis;
    char letter;
  };
  constexpr Unit kUnits[] = {{1, 'm'}, {1000, 'S'}, {60'000, 'M'}, {3'600'000, 'H'}};
  if (timeout.count() <= 0) {
    out[0] = '1';
    out[1] = 'n';
    return 2;
  }
  const Unit* unit = kUnits;
  while (unit->letter != 'H' && timeout.count() > kValueMax * unit->millis) ++unit;
  const int64_t longest = kValueMax * unit->millis;
  const int64_t amount = RoundedUp(std::min(timeout.count(), longest), unit->millis);
  char* end = std::to_chars(out, out + kDigitsMax, amount).ptr;
  *end++ = unit->letter;
  return static_cast<size_t>(end - out);
}

}  // namespace sluice::grpc
