#include "dataplane/observe/metrics_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/http/failure.h"
#include "dataplane/observe/metrics.h"

namespace sluice::observe {
namespace {

constexpr auto kCounter = MetricRow::Type::kCounter;
constexpr auto kGauge = MetricRow::Type::kGauge;
constexpr auto kHistogram = MetricRow::Type::kHistogram;

constexpr std::array<MetricRow, kMetricCount> kTable = {{
    {"sluice_requests_total", kCounter, "service,route,upstream,method,code_class",
     "Requests answered."},
    {"sluice_request_duration_seconds", kHistogram, "service,route,upstream",
     "From the first byte of the request to the last byte of the response sent."},
    {"sluice_request_body_bytes_total", kCounter, "service,route,upstream",
     "Bytes of request bodies."},
    {"sluice_response_body_bytes_total", kCounter, "service,route,upstream",
     "Bytes of response bodies sent to clients."},
    {"sluice_failures_total", kCounter, "service,code", "Requests that failed, by reason."},
    {"sluice_connections_total", kCounter, "service", "Client connections accepted."},
    {"sluice_connections_active", kGauge, "service", "Client connections open now."},
    {"sluice_received_bytes_total", kCounter, "service", "Bytes received from clients."},
    {"sluice_sent_bytes_total", kCounter, "service", "Bytes sent to clients."},
    {"sluice_tls_handshakes_total", kCounter, "service", "TLS handshakes completed with clients."},
    {"sluice_tls_handshakes_resumed_total", kCounter, "service",
     "Completed TLS handshakes that resumed a session."},
    {"sluice_tls_handshakes_failed_total", kCounter, "service",
     "TLS handshakes with clients that failed."},
    {"sluice_proxy_headers_refused_total", kCounter, "service",
     "Client connections closed for want of a valid PROXY protocol header."},
    {"sluice_http2_abuse_total", kCounter, "service",
     "HTTP/2 connections that were ended because of what the client did too often."},
    {"sluice_upstream_connects_total", kCounter, "upstream", "Connections begun to nodes."},
    {"sluice_upstream_connect_failures_total", kCounter, "upstream",
     "Connections to nodes that could not be made."},
    {"sluice_upstream_connections_active", kGauge, "upstream",
     "Connections to nodes that are open or being opened, those kept for the next request "
     "included."},
    {"sluice_upstream_connections_idle", kGauge, "upstream",
     "Connections to nodes kept for the next request."},
    {"sluice_upstream_pool_hits_total", kCounter, "upstream",
     "Requests that found a kept connection."},
    {"sluice_upstream_stale_connections_total", kCounter, "upstream",
     "Kept connections that turned out to be closed."},
    {"sluice_upstream_retries_total", kCounter, "upstream",
     "Requests sent again after a failed attempt."},
    {"sluice_upstream_retries_refused_total", kCounter, "upstream",
     "Further attempts that were not made because the retry budget was used up."},
    {"sluice_upstream_hedges_total", kCounter, "upstream",
     "Requests sent to a second node while the first was slow to answer."},
    {"sluice_upstream_hedges_won_total", kCounter, "upstream",
     "Those that the second node answered first."},
    {"sluice_upstream_requests_active", kGauge, "upstream", "Requests under way."},
    {"sluice_upstream_requests_pending", kGauge, "upstream",
     "Requests that wait for room under the circuit breaker's limits."},
    {"sluice_upstream_overflows_total", kCounter, "upstream",
     "Requests refused because the circuit breaker had no room for them."},
    {"sluice_upstream_connection_limit_hits_total", kCounter, "upstream",
     "Requests that needed a new connection where the circuit breaker allowed no more; they wait, "
     "take another node, or are refused."},
    {"sluice_endpoint_healthy", kGauge, "upstream,endpoint",
     "1 if the node passes its health checks, else 0."},
    {"sluice_endpoint_ejected", kGauge, "upstream,endpoint",
     "1 if outlier detection has taken the node out, else 0."},
    {"sluice_upstream_ejections_total", kCounter, "upstream,reason",
     "Nodes that outlier detection has taken out, by reason, since the upstream was last changed."},
    {"sluice_upstream_panic", kGauge, "upstream",
     "1 if so few nodes are healthy and not taken out that all are used, else 0."},
    {"sluice_snapshot_revision", kGauge, "",
     "Revision of the configuration in service; 0 for none."},
    {"sluice_snapshot_age_seconds", kGauge, "", "Time since this configuration went into service."},
    {"sluice_snapshot_apply_seconds", kGauge, "",
     "Time from the commit of this configuration until every worker served it."},
    {"sluice_access_log_dropped_total", kCounter, "",
     "Access log lines dropped because the queue was full or the file could not be written."},
    {"sluice_overload_limit", kGauge, "resource",
     "Bytes of memory, client connections and descriptors beyond which load is shed."},
    {"sluice_overload_shed_total", kCounter, "resource",
     "Requests and connections refused, and idle connections closed, for want of it."},
    {"sluice_overload_shedding", kGauge, "", "1 while requests are refused for want of memory."},
    {"sluice_build_info", kGauge, "version", "Always 1; the label tells what is running."},
    {"process_cpu_seconds_total", kCounter, "", "User and system CPU time spent."},
    {"process_resident_memory_bytes", kGauge, "", "Resident memory size."},
    {"process_virtual_memory_bytes", kGauge, "", "Virtual memory size."},
    {"process_open_fds", kGauge, "", "Open file descriptors."},
    {"process_max_fds", kGauge, "", "Most file descriptors that may be open."},
    {"process_start_time_seconds", kGauge, "", "Unix time when the process started."},
}};

std::string_view WordOf(MetricRow::Type type) {
  switch (type) {
    case MetricRow::Type::kCounter:
      return "counter";
    case MetricRow::Type::kGauge:
      return "gauge";
    case MetricRow::Type::kHistogram:
      return "histogram";
  }
  __builtin_unreachable();
}

std::string LabelsInCode(std::string_view labels) {
  std::string text;
  while (!labels.empty()) {
    const size_t comma = std::min(labels.find(','), labels.size());
    text += fmt::format("{}`{}`", text.empty() ? "" : ", ", labels.substr(0, comma));
    labels.remove_prefix(std::min(comma + 1, labels.size()));
  }
  return text;
}

}  // namespace

const std::array<MetricRow, kMetricCount>& MetricTable() { return kTable; }

std::string MetricsReference() {
  std::string text =
      "# Metrics\n\n"
      "What a proxy serves at `/metrics`, in the Prometheus text format. Series of routes, "
      "services and "
      "upstreams appear when they are first used and disappear with the last configuration that "
      "names "
      "them.\n\n"
      "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  for (const MetricRow& row : kTable) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", row.name, WordOf(row.type),
                        LabelsInCode(row.labels), row.help);
  }
  text +=
      "\n`method` is one of the usual methods in upper case, or `other`. `code_class` is `1xx` to "
      "`5xx`. ";
  text += "`route` and `upstream` are empty where the proxy answered by itself. ";
  text += fmt::format("Past {} series of a kind, further names are counted together as `{}`.\n\n",
                      kSlotsMax, kOverflowName);
  text += "Upper bounds of the duration histogram, in seconds:";
  for (const uint32_t micros : kLatencyBoundsMicros) text += fmt::format(" {}", micros / 1e6);
  text += ".\n\n`code` of `sluice_failures_total`, the same word as in the access log:\n\n";
  for (size_t i = 1; i < kFailureCount; ++i) {
    text += fmt::format("- `{}`\n", http::TraitsOf(static_cast<http::Failure>(i)).code);
  }
  return text;
}

}  // namespace sluice::observe
