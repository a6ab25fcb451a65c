// An access log line from a record, by a plan compiled from the settings.
//
// Hot path: no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "dataplane/observe/access_log.h"
#include "dataplane/observe/log_fields.h"
#include "dataplane/observe/time_text.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::observe {

// Longer values are cut: a line always fits the ring many times.
inline constexpr size_t kLogValueBytesMax = 8192;

struct LogPlan {
  enum class Format : uint8_t { kJson, kCombined, kTextFields };
  struct Item {
    LogField field;
    uint8_t key_bytes;         // Of `key`; copied whole because that is cheaper.
    std::array<char, 24> key;  // ,"name":" or ,"name":
  };
  Format format = Format::kJson;
  size_t count = 0;
  std::array<Item, kLogFieldCount> items;
};

// Names unknown words and what may stand in their place.
absl::StatusOr<LogPlan> CompileLogPlan(const v1::AccessLog& settings,
                                       std::string_view default_format);

// No line of this record is longer.
size_t LogLineBytesMax(const AccessRecord& record);

// Writes the line with its newline; returns the end.
char* WriteLogLine(const LogPlan& plan, const AccessRecord& record, TimeText& time, char* out);

}  // namespace sluice::observe
