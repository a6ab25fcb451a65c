// The fields of the access log: one row each. docs/reference/log-fields.md is made of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::observe {

enum class LogField : uint8_t {
  kTime,
  kRequestId,
  kTraceId,
  kClient,
  kPeer,
  kClientCertSubject,
  kMethod,
  kScheme,
  kHost,
  kPath,
  kQuery,
  kProtocol,
  kStatus,
  kService,
  kRoute,
  kUpstream,
  kEndpoint,
  kAttempts,
  kRequestBytes,
  kResponseBytes,
  kDuration,
  kConnect,
  kUpstreamHead,
  kFailure,
  kUserAgent,
  kReferer,
  kVersion,
  kCount,
};

inline constexpr size_t kLogFieldCount = static_cast<size_t>(LogField::kCount);

struct LogFieldRow {
  std::string_view name;     // Key in JSON, word in `access_log.fields`.
  bool quoted;               // A string in JSON.
  std::string_view meaning;  // A sentence.
  std::string_view example;  // As in JSON.
};

// In the order of LogField, which is the order of a line when none is configured.
const std::array<LogFieldRow, kLogFieldCount>& LogFieldTable();

std::optional<LogField> LogFieldOf(std::string_view name);

// docs/reference/log-fields.md.
std::string LogFieldsReference();

}  // namespace sluice::observe
