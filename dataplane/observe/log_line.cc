#include "dataplane/observe/log_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "common/base/check.h"
#include "dataplane/observe/field_escape.h"

namespace sluice::observe {
namespace {

// Keys, punctuation, numbers and time of all fields together, generously.
constexpr size_t kFixedBytesMax = 2048;

std::string_view FailureCode(http::Failure failure) {
  static const auto codes = [] {
    std::array<std::string_view, static_cast<size_t>(http::Failure::kCount)> made;
    for (size_t i = 1; i < made.size(); ++i) {
      made[i] = http::TraitsOf(static_cast<http::Failure>(i)).code;
    }
    return made;
  }();
  return codes[static_cast<size_t>(failure)];
}

// A record's value as text; empty for fields that are numbers.
std::string_view TextOf(const AccessRecord& record, LogField field) {
  switch (field) {
    case LogField::kRequestId:
      return record.request_id;
    case LogField::kTraceId:
      return record.trace_id;
    case LogField::kClient:
      return record.client;
    case LogField::kPeer:
      return record.peer;
    case LogField::kClientCertSubject:
      return record.client_cert_subject;
    case LogField::kMethod:
      return record.method;
    case LogField::kScheme:
      return record.scheme;
    case LogField::kHost:
      return record.host;
    case LogField::kPath:
      return record.path;
    case LogField::kQuery:
      return record.query;
    case LogField::kProtocol:
      return record.protocol;
    case LogField::kService:
      return record.service;
    case LogField::kRoute:
      return record.route;
    case LogField::kUpstream:
      return record.upstream;
    case LogField::kEndpoint:
      return record.endpoint;
    case LogField::kFailure:
      return FailureCode(record.failure);
    case LogField::kUserAgent:
      return record.user_agent;
    case LogField::kReferer:
      return record.referer;
    case LogField::kTime:
    case LogField::kStatus:
    case LogField::kAttempts:
    case LogField::kRequestBytes:
    case LogField::kResponseBytes:
    case LogField::kDuration:
    case LogField::kConnect:
    case LogField::kUpstreamHead:
    case LogField::kVersion:
    case LogField::kCount:
      break;
  }
  return {};
}

char* WriteText(std::string_view text, char* out) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* WriteNumber(uint64_t number, char* out) { return std::to_chars(out, out + 20, number).ptr; }

char* WriteMillis(int64_t micros, std::string_view absent, char* out) {
  if (micros < 0) return WriteText(absent, out);
  out = WriteNumber(static_cast<uint64_t>(micros) / 1000, out);
  const auto rest = static_cast<uint32_t>(micros % 1000);
  *out++ = '.';
  *out++ = static_cast<char>('0' + rest / 100);
  *out++ = static_cast<char>('0' + rest / 10 % 10);
  *out++ = static_cast<char>('0' + rest % 10);
  return out;
}

// The fields that are numbers.
char* WriteNumberField(const AccessRecord& record, LogField field, std::string_view absent,
                       char* out) {
  switch (field) {
    case LogField::kStatus:
      return WriteNumber(record.status, out);
    case LogField::kAttempts:
      return WriteNumber(record.attempts, out);
    case LogField::kRequestBytes:
      return WriteNumber(record.request_body_bytes, out);
    case LogField::kResponseBytes:
      return WriteNumber(record.response_body_bytes, out);
    case LogField::kDuration:
      return WriteMillis(std::max<int64_t>(record.duration_micros, 0), absent, out);
    case LogField::kConnect:
      return WriteMillis(record.connect_micros, absent, out);
    case LogField::kUpstreamHead:
      return WriteMillis(record.upstream_head_micros, absent, out);
    default:
      return WriteNumber(record.version, out);
  }
}

std::string_view Cut(std::string_view text) { return text.substr(0, kLogValueBytesMax); }

char* WriteJson(const LogPlan& plan, const AccessRecord& record, TimeText& time, char* out) {
  char* const begin = out;
  for (size_t i = 0; i < plan.count; ++i) {
    const LogPlan::Item& item = plan.items[i];
    std::memcpy(out, item.key.data(), item.key.size());
    out += item.key_bytes;
    if (!LogFieldTable()[static_cast<size_t>(item.field)].quoted) {
      out = WriteNumberField(record, item.field, "null", out);
      continue;
    }
    out = item.field == LogField::kTime ? time.WriteRfc3339(record.start_unix_micros, out)
                                        : EscapeJson(Cut(TextOf(record, item.field)), out);
    *out++ = '"';
  }
  *begin = '{';  // Where the first key's comma was.
  return WriteText("}\n", out);
}

char* WriteTextFields(const LogPlan& plan, const AccessRecord& record, TimeText& time, char* out) {
  for (size_t i = 0; i < plan.count; ++i) {
    const LogField field = plan.items[i].field;
    if (field == LogField::kTime) {
      out = time.WriteRfc3339(record.start_unix_micros, out);
    } else if (LogFieldTable()[static_cast<size_t>(field)].quoted) {
      *out++ = '"';
      out = EscapeText(Cut(TextOf(record, field)), out);
      *out++ = '"';
    } else {
      out = WriteNumberField(record, field, "-", out);
    }
    *out++ = ' ';
  }
  out[-1] = '\n';
  return out;
}

// A word of its own: never empty, never with a space.
char* WriteWord(std::string_view word, char* out) {
  if (word.empty()) return WriteText("- ", out);
  char* const begin = out;
  out = EscapeText(Cut(word), out);
  std::replace(begin, out, ' ', '_');
  *out++ = ' ';
  return out;
}

char* WriteQuoted(std::string_view text, char* out) {
  *out++ = '"';
  out = text.empty() ? WriteText("-", out) : EscapeText(Cut(text), out);
  return WriteText("\" ", out);
}

char* WriteCombined(const AccessRecord& record, TimeText& time, char* out) {
  out = WriteWord(record.client, out);
  out = WriteText("- - [", out);
  out = time.WriteCommon(record.start_unix_micros, out);
  out = WriteText("] \"", out);
  out = EscapeText(Cut(record.method), out);
  *out++ = ' ';
  out = EscapeText(Cut(record.path), out);
  if (!record.query.empty()) {
    *out++ = '?';
    out = EscapeText(Cut(record.query), out);
  }
  *out++ = ' ';
  out = EscapeText(Cut(record.protocol), out);
  out = WriteText("\" ", out);
  out = WriteNumber(record.status, out);
  *out++ = ' ';
  out = WriteNumber(record.response_body_bytes, out);
  *out++ = ' ';
  out = WriteQuoted(record.referer, out);
  out = WriteQuoted(record.user_agent, out);
  for (const std::string_view word :
       {record.host, record.service, record.route, record.upstream, record.endpoint}) {
    out = WriteWord(word, out);
  }
  out = WriteNumber(record.attempts, out);
  for (const LogField field : {LogField::kDuration, LogField::kConnect, LogField::kUpstreamHead}) {
    *out++ = ' ';
    out = WriteNumberField(record, field, "-", out);
  }
  *out++ = ' ';
  out = WriteWord(FailureCode(record.failure), out);
  out = WriteWord(record.request_id, out);
  out[-1] = '\n';
  return out;
}

LogPlan::Item ItemOf(LogField field) {
  const LogFieldRow& row = LogFieldTable()[static_cast<size_t>(field)];
  const std::string key = fmt::format(",\"{}\":{}", row.name, row.quoted ? "\"" : "");
  LogPlan::Item item{.field = field, .key_bytes = static_cast<uint8_t>(key.size()), .key = {}};
  SLUICE_CHECK(key.size() <= item.key.size());
  std::copy(key.begin(), key.end(), item.key.begin());
  return item;
}

absl::Status UnknownField(const std::string& name) {
  std::string known;
  for (const LogFieldRow& row : LogFieldTable()) {
    known += known.empty() ? "" : ", ";
    known += row.name;
  }
  return absl::InvalidArgumentError(
      fmt::format("access_log.fields: no field is called \"{}\"; there are {}", name, known));
}

absl::Status AddFields(const v1::AccessLog& settings, LogPlan* plan) {
  std::array<bool, kLogFieldCount> seen{};
  for (const std::string& name : settings.fields()) {
    const std::optional<LogField> field = LogFieldOf(name);
    if (!field.has_value()) return UnknownField(name);
    bool& already = seen[static_cast<size_t>(*field)];
    if (already) {
      return absl::InvalidArgumentError(
          fmt::format("access_log.fields: \"{}\" is named twice; leave one out", name));
    }
    already = true;
    plan->items[plan->count++] = ItemOf(*field);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LogPlan> CompileLogPlan(const v1::AccessLog& settings,
                                       std::string_view default_format) {
  const std::string format(settings.format().empty() ? default_format : settings.format());
  if (format != "json" && format != "text") {
    return absl::InvalidArgumentError(
        fmt::format("access_log.format: must be json or text, not \"{}\"", format));
  }
  LogPlan plan;
  if (const absl::Status status = AddFields(settings, &plan); !status.ok()) return status;
  if (format == "text") {
    plan.format = plan.count == 0 ? LogPlan::Format::kCombined : LogPlan::Format::kTextFields;
    return plan;
  }
  if (plan.count == 0) {
    for (; plan.count < kLogFieldCount; ++plan.count) {
      plan.items[plan.count] = ItemOf(static_cast<LogField>(plan.count));
    }
  }
  return plan;
}

size_t LogLineBytesMax(const AccessRecord& record) {
  size_t bytes = 0;
  for (const std::string_view text :
       {record.service, record.route, record.upstream, record.endpoint, record.request_id,
        record.trace_id, record.client, record.peer, record.client_cert_subject, record.method,
        record.scheme, record.host, record.path, record.query, record.protocol, record.user_agent,
        record.referer}) {
    bytes += std::min(text.size(), kLogValueBytesMax);
  }
  return bytes * kEscapedBytesMax + kFixedBytesMax;
}

char* WriteLogLine(const LogPlan& plan, const AccessRecord& record, TimeText& time, char* out) {
  switch (plan.format) {
    case LogPlan::Format::kJson:
      return WriteJson(plan, record, time, out);
    case LogPlan::Format::kCombined:
      return WriteCombined(record, time, out);
    case LogPlan::Format::kTextFields:
      return WriteTextFields(plan, record, time, out);
  }
  __builtin_unreachable();
}

}  // namespace sluice::observe
