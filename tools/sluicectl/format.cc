#include "tools/sluicectl/format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <ctime>

#include "absl/time/time.h"
#include "common/base/hash.h"

namespace sluice::sluicectl {

std::string FormatAge(int64_t seconds) {
  if (seconds <= 0) return "0s";
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  if (minutes == 0) return fmt::format("{}s", seconds);
  if (hours == 0) return fmt::format("{}m{}s", minutes, seconds % 60);
  if (days == 0) return fmt::format("{}h{}m", hours, minutes % 60);
  return fmt::format("{}d{}h", days, hours % 24);
}

std::string FormatAgeSince(uint64_t unix_ms, int64_t now_unix_ms) {
  if (unix_ms == 0) return "-";
  const auto now = static_cast<uint64_t>(now_unix_ms);
  return FormatAge(unix_ms >= now ? 0 : static_cast<int64_t>((now - unix_ms) / 1000));
}

std::string FormatTime(int64_t unix_seconds) {
  if (unix_seconds == 0) return "-";
  const std::time_t time = unix_seconds;
  std::tm parts{};
  // Fails for years that an int cannot hold.
  if (::gmtime_r(&time, &parts) == nullptr) return fmt::format("{} s", unix_seconds);
  return fmt::format("{}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + int64_t{1900},
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string FormatElapsed(uint64_t ms) {
  if (ms < 10'000) return fmt::format("{:.3f} s", static_cast<double>(ms) / 1000);
  if (ms < 100'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
  return fmt::format("{}m{:02}s", ms / 60'000, ms / 1000 % 60);
}

std::string FormatLatency(double ms) {
  if (!std::isfinite(ms) || ms <= 0) return "-";
  if (ms < 1000) return fmt::format("{:.1f}ms", ms);
  return fmt::format("{:.2f}s", ms / 1000);
}

std::string FormatRatio(double ratio) {
  if (!std::isfinite(ratio) || ratio <= 0) return "0%";
  const double percent = ratio * 100;
  if (percent < 1) return fmt::format("{:.2f}%", percent);
  return fmt::format("{:.1f}%", percent);
}

std::string FormatRate(double per_second) {
  if (!std::isfinite(per_second) || per_second <= 0) return "0";
  if (per_second < 100) return fmt::format("{:.1f}", per_second);
  return fmt::format("{:.0f}", per_second);
}

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string Count(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string ShortRoot(std::string_view root) {
  if (root.empty()) return "-";
  constexpr size_t kBytes = 6;
  std::string text = base::HexEncode(root.substr(0, kBytes));
  if (root.size() > kBytes) text += "…";
  return text;
}

absl::StatusOr<uint64_t> ParseDurationMs(const std::string& text) {
  absl::Duration duration;
  const bool has_unit = !text.empty() && (text.back() < '0' || text.back() > '9');
  if (!has_unit || !absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a duration; write it as 30s, 1m30s or 250ms", text));
  }
  if (duration < absl::Milliseconds(1) || duration > absl::Hours(24)) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not between 1ms and 24h", text));
  }
  return static_cast<uint64_t>(absl::ToInt64Milliseconds(duration));
}

absl::StatusOr<uint32_t> ParseRatio(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != end || !(value >= 0 && value <= 1)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is no share; write a number from 0 to 1, such as 0.05", text));
  }
  return static_cast<uint32_t>(std::lround(value * 1e6));
}

}  // namespace sluice::sluicectl
