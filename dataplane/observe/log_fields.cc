#include "dataplane/observe/log_fields.h"

#include <fmt/format.h>

namespace sluice::observe {
namespace {

constexpr std::array<LogFieldRow, kLogFieldCount> kTable = {{
    {"time", true, "When the first byte of the request arrived, UTC.",
     "\"2024-05-01T12:30:45.123Z\""},
    {"request_id", true, "The request's identifier, as in `X-Request-ID`.",
     "\"018f3e2a-7c1b-7def-8a3b-1c2d3e4f5a6b\""},
    {"trace_id", true, "The trace it belongs to, as in `traceparent`; empty without one.",
     "\"4bf92f3577b34da6a3ce929d0e0e4736\""},
    {"client", true, "The client's address, as trusted proxies tell it.", "\"203.0.113.7\""},
    {"peer", true, "The address at the other end of the connection.", "\"10.0.0.1\""},
    {"client_cert_subject", true,
     "The subject of the client's certificate, verified; empty without `client_auth`, or where the "
     "client has none.",
     "\"CN=alice,O=Example\""},
    {"method", true, "The request method.", "\"GET\""},
    {"scheme", true, "`http` or `https`.", "\"https\""},
    {"host", true, "The host asked for.", "\"www.example.com\""},
    {"path", true, "The path as it was matched, without the query.", "\"/api/v1/users/123\""},
    {"query", true, "The query, without the question mark.", "\"page=2\""},
    {"protocol", true, "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.", "\"HTTP/1.1\""},
    {"status", false,
     "The status sent to the client; 0 if the connection closed without an answer.", "200"},
    {"service", true, "The service whose address was asked.", "\"api-gateway\""},
    {"route", true, "The route that matched; empty if none did.", "\"users-service-route\""},
    {"upstream", true, "The upstream chosen; empty if the proxy answered itself.",
     "\"users-service\""},
    {"endpoint", true, "The node that was tried last.", "\"10.0.1.1:8080\""},
    {"attempts", false, "How many nodes were tried.", "1"},
    {"request_bytes", false, "Bytes of the request body.", "0"},
    {"response_bytes", false, "Bytes of the response body that were sent.", "1234"},
    {"duration_ms", false,
     "From the first byte of the request to the last byte sent, in milliseconds.", "12.345"},
    {"connect_ms", false,
     "Time to connect to the node, TLS included, in milliseconds; 0 on a kept connection, `null` "
     "if it "
     "did not come to that.",
     "0.000"},
    {"upstream_ms", false,
     "From sending the request to the complete head of the response, in milliseconds; `null` if it "
     "did "
     "not come to that.",
     "11.802"},
    {"failure", true, "Why the request failed, the code used in metrics too; empty if it did not.",
     "\"connect_timeout\""},
    {"user_agent", true, "The `User-Agent` field.", "\"curl/7.88.1\""},
    {"referer", true, "The `Referer` field.", "\"https://www.example.com/\""},
    {"version", false, "Revision of the configuration that served the request.", "42"},
}};

}  // namespace

const std::array<LogFieldRow, kLogFieldCount>& LogFieldTable() { return kTable; }

std::optional<LogField> LogFieldOf(std::string_view name) {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].name == name) return static_cast<LogField>(i);
  }
  return std::nullopt;
}

std::string LogFieldsReference() {
  std::string text =
      "# Access log fields\n\n"
      "One line per request. With `format: json` a line is a JSON object with these keys, all of "
      "them or "
      "those named in `access_log.fields`, in that order. Values longer than 8,192 bytes are cut. "
      "Bytes "
      "that are not valid UTF-8 appear as `\\u00XX`.\n\n"
      "| field | meaning | example |\n| --- | --- | --- |\n";
  for (const LogFieldRow& row : kTable) {
    text += fmt::format("| `{}` | {} | `{}` |\n", row.name, row.meaning, row.example);
  }
  text +=
      "\nWith `format: text` and no fields named, a line begins like nginx's `combined` and goes "
      "on with "
      "what a proxy adds; `-` stands for what is not there, bytes outside printable ASCII appear "
      "as "
      "`\\xXX`:\n\n"
      "```\n"
      "client - - [time] \"method path?query protocol\" status response_bytes \"referer\" "
      "\"user_agent\" host service route upstream endpoint attempts duration_ms connect_ms "
      "upstream_ms "
      "failure request_id\n"
      "```\n\n"
      "With `format: text` and `access_log.fields`, a line has the values of these fields in that "
      "order, "
      "separated by spaces, texts in quotes.\n\n"
      "Lines are queued (1 MiB per worker) and written in the background. Lines that find the "
      "queue full "
      "or cannot be written are counted in `sluice_access_log_dropped_total`.\n";
  return text;
}

}  // namespace sluice::observe
