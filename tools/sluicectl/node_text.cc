#include "tools/sluicectl/node_text.h"

#include <fmt/format.h>

#include "tools/sluicectl/change_text.h"
#include "tools/sluicectl/field_line.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/traffic_text.h"

namespace sluice::sluicectl {
namespace {

void AddIdentity(const v1::NodeStatus& node, int64_t now_unix_ms, Text* text) {
  AddField(text, "Name:", node.node_id());
  AddField(text, "State:", StateName(node.state()), StateStyle(node.state()));
  if (!node.reason().empty()) AddField(text, "Reason:", node.reason());
  AddField(text, "Since:", FormatAgeSince(node.since_unix_ms(), now_unix_ms));
  AddField(text, "Last seen:", FormatAgeSince(node.last_seen_unix_ms(), now_unix_ms));
  AddField(
      text, "Version:",
      fmt::format("{} (root {})", node.version().revision(), ShortRoot(node.version().root())));
  AddField(text, "Address:", node.peer_address());
  AddField(text,
           "Labels:", LabelsText({node.hello().labels().begin(), node.hello().labels().end()}));
  if (!node.labels_set().empty()) {
    AddField(text,
             "Set by hand:", LabelsText({node.labels_set().begin(), node.labels_set().end()}));
  }
  AddField(text, "Cordoned:", node.cordoned() ? "yes: it is offered nothing" : "no");
  AddField(text, "Build:", node.hello().build_version());
  AddField(text, "Bind host:", node.hello().bind_host());
  AddField(text, "Features:", fmt::format("{}", fmt::join(node.hello().features(), ",")));
}

std::string ConnectionsText(const v1::Report& report) {
  std::string text = fmt::format("{}", report.downstream_connections());
  if (report.draining_processes() == 0) return text;
  return text + fmt::format(", {} of them with {} that a hot restart replaced and that {} still",
                            report.draining_connections(),
                            report.draining_processes() == 1
                                ? std::string("a process")
                                : fmt::format("{} processes", report.draining_processes()),
                            report.draining_processes() == 1 ? "drains" : "drain");
}

void AddLoad(const v1::NodeStatus& node, Text* text) {
  const v1::Report& report = node.report();
  AddField(text, "Uptime:", FormatAge(static_cast<int64_t>(report.uptime_seconds())));
  AddField(text, "Memory:", FormatBytes(report.rss_bytes()));
  AddField(text, "Open files:", fmt::format("{}", report.open_files()));
  AddField(text, "Connections:", ConnectionsText(report));
  AddField(text, "Requests:",
           fmt::format("{} in all, {} per second, {} 5xx, p99 {}", report.requests_total(),
                       FormatRate(node.requests_per_second()), FormatRatio(node.error_ratio()),
                       FormatLatency(node.p99_ms())));
  AddField(text, "Traffic:",
           fmt::format("{} received, {} sent", FormatBytes(report.bytes_received_total()),
                       FormatBytes(report.bytes_sent_total())));
  AddField(text, "Config sent:", FormatBytes(node.snapshot_bytes_sent()));
}

void AddEndpoints(const v1::Report& report, int64_t now_unix_ms, Text* text) {
  if (report.endpoints().empty()) return;
  Table table({"UPSTREAM", "ENDPOINT", "HEALTH", "SINCE", "LAST CHECK"});
  for (const auto& endpoint : report.endpoints()) {
    table.AddRow({endpoint.cluster(),
                  endpoint.address(),
                  {endpoint.healthy() ? "healthy" : "unhealthy",
                   endpoint.healthy() ? Style::kGreen : Style::kRed},
                  FormatAgeSince(endpoint.since_unix_ms(), now_unix_ms),
                  endpoint.reason()});
  }
  text->EndLine().Append(table.ToText());
}

}  // namespace

Text NodeText(const v1::NodeStatus& node, int64_t now_unix_ms) {
  Text text;
  const v1::Report& report = node.report();
  AddIdentity(node, now_unix_ms, &text);
  AddLoad(node, &text);
  if (!report.traffic_by_version().empty()) {
    text.EndLine().Append(TrafficText(report.traffic_by_version(), now_unix_ms));
  }
  AddEndpoints(report, now_unix_ms, &text);
  for (const auto& certificate : report.certificates()) {
    AddField(
        &text, "Certificate:",
        fmt::format("{}, until {}", certificate.name(), FormatTime(certificate.not_after_unix())));
  }
  for (const auto& error : node.errors()) {
    AddField(&text, "Rejected:",
             fmt::format("{}{}{}: {}: {}", error.source(), error.source().empty() ? "" : ": ",
                         NameOf(error.resource()), error.field(), error.message()),
             Style::kRed);
  }
  for (const auto& error : report.last_errors()) AddField(&text, "Error:", error);
  return text;
}

}  // namespace sluice::sluicectl
