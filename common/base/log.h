// The application log: one line per event on standard error, written by a background thread.
//
// Any thread may log. A caller never waits for the terminal or disk: when the queue of
// kLogQueueLines is full the oldest line is dropped and counted. For state changes; requests have
// the access log.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace sluice::base {

inline constexpr size_t kLogQueueLines = 8192;

enum class LogLevel : int { kTrace, kDebug, kInfo, kWarn, kError, kOff };

// Before any thread logs; until then lines go to standard error as text, at once. `level`: trace,
// debug, info, warn, error, off. `format`: json (time in RFC 3339 with milliseconds, level,
// program, msg) or text. May be called again with other words, from one thread at a time.
absl::Status InitLog(std::string_view program, std::string_view level, std::string_view format);

// Writes out what is queued and stops the background thread; later lines are written at once.
void ShutdownLog();

absl::Status SetLogLevel(std::string_view level);
std::string_view CurrentLogLevel();

// The last lines of level warn and error as text, oldest first; at most kLogProblemsKept.
inline constexpr size_t kLogProblemsKept = 100;
std::vector<std::string> RecentLogProblems();

// Lines dropped because the queue was full, since the start.
uint64_t LogLinesDropped();

namespace internal {
extern std::atomic<int> log_level;
void WriteLog(LogLevel level, fmt::string_view format, fmt::format_args args);
}  // namespace internal

inline bool LogEnabled(LogLevel level) {
  return static_cast<int>(level) >= internal::log_level.load(std::memory_order_relaxed);
}

template <typename... Args>
void LogTrace(fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(LogLevel::kTrace)) return;
  internal::WriteLog(LogLevel::kTrace, format, fmt::make_format_args(args...));
}
template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(LogLevel::kDebug)) return;
  internal::WriteLog(LogLevel::kDebug, format, fmt::make_format_args(args...));
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(LogLevel::kInfo)) return;
  internal::WriteLog(LogLevel::kInfo, format, fmt::make_format_args(args...));
}
template <typename... Args>
void LogWarn(fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(LogLevel::kWarn)) return;
  internal::WriteLog(LogLevel::kWarn, format, fmt::make_format_args(args...));
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(LogLevel::kError)) return;
  internal::WriteLog(LogLevel::kError, format, fmt::make_format_args(args...));
}

}  // namespace sluice::base
