// Ages, durations and sizes in the few characters a table has for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::sluicectl {

// 45s, 3m12s, 5h7m, 12d3h; "0s" for what is not yet or just now.
std::string FormatAge(int64_t seconds);

// Since `unix_ms`; "-" for 0.
std::string FormatAgeSince(uint64_t unix_ms, int64_t now_unix_ms);

// 2024-05-01 12:00:03 UTC; "-" for 0.
std::string FormatTime(int64_t unix_seconds);

// 0.214 s, 12.1 s, 2m05s.
std::string FormatElapsed(uint64_t ms);

// 0.3 ms, 12.4 ms, 1.20 s.
std::string FormatLatency(double ms);

// 0%, 0.03%, 12.5%.
std::string FormatRatio(double ratio);

// 0.5, 12.3, 1840.
std::string FormatRate(double per_second);

// 512 B, 1.5 MiB.
std::string FormatBytes(uint64_t bytes);

// "1 node", "3 nodes".
std::string Count(uint64_t count, std::string_view noun);

// First 12 hexadecimal digits, marked as cut: 3fa2c1b09d11…; "-" for an empty one.
std::string ShortRoot(std::string_view root);

// "30s", "1m30s", "250ms" in milliseconds, from 1 ms to one day; a bare number is refused (30
// what?).
absl::StatusOr<uint64_t> ParseDurationMs(const std::string& text);

// "0.05", from 0 to 1, in millionths.
absl::StatusOr<uint32_t> ParseRatio(const std::string& text);

}  // namespace sluice::sluicectl
