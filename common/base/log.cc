#include "common/base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/clock.h"
#include "common/base/escape.h"

namespace sluice::base {
namespace {

constexpr std::array<std::string_view, 6> kLevelNames = {"trace", "debug", "info",
                                                         "warn",  "error", "off"};

// Replaced as a whole by InitLog; a thread that logs meanwhile keeps the old one alive.
struct Output {
  std::string program;
  bool json = false;
  std::shared_ptr<spdlog::async_logger> logger;  // Null: write directly.
  // Last, so that it goes first: its thread is joined before what the thread writes to is
  // destroyed.
  std::shared_ptr<spdlog::details::thread_pool> pool;
};

std::mutex output_mutex;  // Guards the pointer, not the output.
std::shared_ptr<const Output>& OutputSlot() {
  static auto* slot = new std::shared_ptr<const Output>(std::make_shared<Output>());
  return *slot;  // Never destroyed: threads may log while the process exits.
}

std::shared_ptr<const Output> CurrentOutput() {
  const std::lock_guard lock(output_mutex);
  return OutputSlot();
}

uint64_t dropped_before = 0;  // By thread pools that are gone. Guarded by output_mutex.

std::mutex problems_mutex;
std::deque<std::string>& ProblemsSlot() {
  static auto* slot = new std::deque<std::string>();
  return *slot;  // As OutputSlot.
}

void KeepProblem(std::string line) {
  const std::lock_guard lock(problems_mutex);
  std::deque<std::string>& problems = ProblemsSlot();
  problems.push_back(std::move(line));
  if (problems.size() > kLogProblemsKept) problems.pop_front();
}

void ReplaceOutput(std::shared_ptr<const Output> output) {
  {
    const std::lock_guard lock(output_mutex);
    OutputSlot().swap(output);
    if (output->pool) dropped_before += output->pool->overrun_counter();
  }
  // The last owner of the old pool writes out its queue here, outside the lock.
}

std::string Timestamp() {
  const int64_t millis = UnixMillis();
  const std::time_t seconds = millis / 1000;
  std::tm utc;
  gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, millis % 1000);
}

std::string TextLine(LogLevel level, std::string_view message) {
  std::string line = fmt::format("{} {:<5} ", Timestamp(), kLevelNames[static_cast<size_t>(level)]);
  AppendPlainEscaped(&line, message);
  return line;
}

std::string FormatLine(const Output& output, LogLevel level, std::string_view message) {
  if (!output.json) return TextLine(level, message);
  std::string line;
  line.reserve(message.size() + 96);
  line = fmt::format(R"({{"time":"{}","level":"{}","program":")", Timestamp(),
                     kLevelNames[static_cast<size_t>(level)]);
  AppendJsonEscaped(&line, output.program);
  line += R"(","msg":")";
  AppendJsonEscaped(&line, message);
  line += "\"}";
  return line;
}

int LevelOf(std::string_view name) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == name) return static_cast<int>(i);
  }
  return -1;
}

absl::Status UnknownLevel(std::string_view level) {
  return absl::InvalidArgumentError(
      fmt::format("'{}' is no log level; use trace, debug, info, warn, error or off", level));
}

}  // namespace

namespace internal {

std::atomic<int> log_level{static_cast<int>(LogLevel::kInfo)};

void WriteLog(LogLevel level, fmt::string_view format, fmt::format_args args) {
  const std::shared_ptr<const Output> output = CurrentOutput();
  const std::string message = fmt::vformat(format, args);
  if (level >= LogLevel::kWarn) KeepProblem(TextLine(level, message));
  const std::string line = FormatLine(*output, level, message);
  if (output->logger) {
    output->logger->log(spdlog::level::info, line);
  } else {
    const std::string ended = line + '\n';
    std::fwrite(ended.data(), 1, ended.size(), stderr);
  }
}

}  // namespace internal

absl::Status InitLog(std::string_view program, std::string_view level, std::string_view format) {
  if (format != "json" && format != "text") {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is no log format; use json or text", format));
  }
  const int number = LevelOf(level);
  if (number < 0) return UnknownLevel(level);

  auto output = std::make_shared<Output>();
  output->program = program;
  output->json = format == "json";
  try {
    output->pool = std::make_shared<spdlog::details::thread_pool>(kLogQueueLines, 1);
    output->logger = std::make_shared<spdlog::async_logger>(
        "sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>(), output->pool,
        spdlog::async_overflow_policy::overrun_oldest);
  } catch (const std::exception& error) {
    return absl::InternalError(fmt::format("the log cannot start: {}", error.what()));
  }
  output->logger->set_level(spdlog::level::trace);  // internal::log_level decides.
  output->logger->set_pattern("%v");                // Lines are formatted by the caller.

  // What is queued at exit must not be lost.
  static const int registered = std::atexit(ShutdownLog);
  (void)registered;
  ReplaceOutput(std::move(output));
  internal::log_level.store(number, std::memory_order_relaxed);
  return absl::OkStatus();
}

void ShutdownLog() {
  const std::shared_ptr<const Output> current = CurrentOutput();
  auto direct = std::make_shared<Output>();
  direct->program = current->program;
  direct->json = current->json;
  ReplaceOutput(std::move(direct));
}

absl::Status SetLogLevel(std::string_view level) {
  const int number = LevelOf(level);
  if (number < 0) return UnknownLevel(level);
  internal::log_level.store(number, std::memory_order_relaxed);
  return absl::OkStatus();
}

std::string_view CurrentLogLevel() {
  return kLevelNames[static_cast<size_t>(internal::log_level.load(std::memory_order_relaxed))];
}

std::vector<std::string> RecentLogProblems() {
  const std::lock_guard lock(problems_mutex);
  return {ProblemsSlot().begin(), ProblemsSlot().end()};
}

uint64_t LogLinesDropped() {
  const std::lock_guard lock(output_mutex);
  const std::shared_ptr<const Output>& output = OutputSlot();
  return dropped_before + (output->pool ? output->pool->overrun_counter() : 0);
}

}  // namespace sluice::base
