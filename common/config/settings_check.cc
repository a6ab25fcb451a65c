#include <algorithm>
#include <array>
#include <unordered_set>

#include "common/config/checks.h"
#include "common/config/words.h"

namespace sluice::config {
namespace {

constexpr uint32_t kWorkerThreadsMax = 1024;
constexpr uint32_t kConnectionsMax = 10'000'000;
constexpr uint64_t kMemoryBytesMin = 64 << 20;
constexpr std::array<std::string_view, 6> kLogLevels = {"trace", "debug", "info",
                                                        "warn",  "error", "off"};

bool IsLogFormat(std::string_view format) { return format == "json" || format == "text"; }

void CheckEndpoint(const v1::HttpEndpoint& endpoint, const std::string& field,
                   ResourceErrors* errors) {
  if (!endpoint.enabled()) return;
  AddProblem(field + ".address", AddressProblem(endpoint.address()), errors);
}

void CheckAccessLog(const v1::AccessLog& log, ResourceErrors* errors) {
  if (!log.format().empty() && !IsLogFormat(log.format())) {
    errors->Add("access_log.format",
                fmt::format("'{}' is no log format; use json or text", log.format()));
  }
  std::unordered_set<std::string> seen;
  for (int i = 0; i < log.fields_size(); ++i) {
    const std::string field = fmt::format("access_log.fields[{}]", i);
    if (!IsToken(log.fields(i))) {
      errors->Add(field, fmt::format("'{}' is no field name", log.fields(i)));
    } else if (!seen.insert(log.fields(i)).second) {
      errors->Add(field, fmt::format("'{}' is listed twice; remove one", log.fields(i)));
    }
  }
  if (!log.enabled()) return;
  const std::string& path = log.path();
  if (path != "-" && (!path.starts_with('/') || path.ends_with('/'))) {
    errors->Add(
        "access_log.path",
        fmt::format("'{}' must be an absolute file name, or '-' for standard output", path));
  }
}

void CheckLimits(const v1::ProcessLimits& limits, ResourceErrors* errors) {
  if (limits.connections() > kConnectionsMax) {
    errors->Add("limits.connections", fmt::format("{} is too many; give at most {}",
                                                  limits.connections(), kConnectionsMax));
  }
  if (limits.memory_bytes() > 0 && limits.memory_bytes() < kMemoryBytesMin) {
    errors->Add("limits.memory_bytes",
                fmt::format("{} is less than an idle proxy takes; give at least {}, or 0 for 90 % "
                            "of what the system has",
                            limits.memory_bytes(), kMemoryBytesMin));
  }
}

}  // namespace

void CheckSettings(const v1::Settings& settings, ResourceErrors errors) {
  if (settings.worker_threads() > kWorkerThreadsMax) {
    errors.Add("worker_threads",
               fmt::format("{} is too many; give at most {}, or 0 for one for each CPU",
                           settings.worker_threads(), kWorkerThreadsMax));
  }
  const bool level_known =
      std::find(kLogLevels.begin(), kLogLevels.end(), settings.log_level()) != kLogLevels.end();
  if (!settings.log_level().empty() && !level_known) {
    errors.Add("log_level",
               fmt::format("'{}' is no log level; use trace, debug, info, warn, error or off",
                           settings.log_level()));
  }
  if (!settings.log_format().empty() && !IsLogFormat(settings.log_format())) {
    errors.Add("log_format",
               fmt::format("'{}' is no log format; use json or text", settings.log_format()));
  }
  CheckEndpoint(settings.admin(), "admin", &errors);
  CheckEndpoint(settings.metrics(), "metrics", &errors);
  CheckAccessLog(settings.access_log(), &errors);
  CheckLimits(settings.limits(), &errors);
  AddProblem("drain_timeout_ms", DurationProblem(settings.drain_timeout_ms()), &errors);
}

}  // namespace sluice::config
