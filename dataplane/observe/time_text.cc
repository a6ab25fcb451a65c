#include "dataplane/observe/time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace sluice::observe {
namespace {

constexpr size_t kRfc3339SecondBytes = 20;  // With the dot.
constexpr size_t kCommonBytes = 26;

constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

void TimeText::Update(int64_t unix_seconds) {
  // Years of four digits only: the texts have fixed sizes.
  constexpr int64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z
  second_ = unix_seconds;
  const time_t seconds = unix_seconds < 0 ? 0 : std::min(unix_seconds, kLastSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  fmt::format_to_n(rfc3339_.data(), rfc3339_.size(), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.",
                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                   parts.tm_min, parts.tm_sec);
  fmt::format_to_n(common_.data(), common_.size(), "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000",
                   parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                   parts.tm_min, parts.tm_sec);
}

char* TimeText::WriteRfc3339(int64_t unix_micros, char* out) {
  unix_micros = std::max<int64_t>(unix_micros, 0);
  const int64_t second = unix_micros / 1'000'000;
  if (second != second_) Update(second);
  std::copy_n(rfc3339_.data(), kRfc3339SecondBytes, out);
  out += kRfc3339SecondBytes;
  const auto millis = static_cast<uint32_t>(unix_micros / 1000 % 1000);
  *out++ = static_cast<char>('0' + millis / 100);
  *out++ = static_cast<char>('0' + millis / 10 % 10);
  *out++ = static_cast<char>('0' + millis % 10);
  *out++ = 'Z';
  return out;
}

char* TimeText::WriteCommon(int64_t unix_micros, char* out) {
  const int64_t second = std::max<int64_t>(unix_micros, 0) / 1'000'000;
  if (second != second_) Update(second);
  std::copy_n(common_.data(), kCommonBytes, out);
  return out + kCommonBytes;
}

}  // namespace sluice::observe
