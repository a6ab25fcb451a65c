#include "tools/sluicectl/node_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "tools/sluicectl/format.h"

namespace sluice::sluicectl {
namespace {

std::string UnhealthyCount(const v1::Report& report) {
  const auto unhealthy = std::count_if(report.endpoints().begin(), report.endpoints().end(),
                                       [](const auto& endpoint) { return !endpoint.healthy(); });
  return fmt::format("{}/{}", unhealthy, report.endpoints_size());
}

void AddNode(Table* table, const v1::NodeStatus& node, int64_t now_unix_ms) {
  const v1::Report& report = node.report();
  const bool reported = node.has_report();
  // Cordoned is a state of its own only where it holds a node back.
  const bool also_cordoned = node.cordoned() && node.state() != v1::NodeStatus::CORDONED;
  const std::string state = StateName(node.state()) + (also_cordoned ? ",cordoned" : "");
  const auto if_reported = [reported](std::string text) { return reported ? text : std::string(); };
  const v1::VersionTrafficFigures& since = node.current_version_traffic();
  const auto if_since = [&node](std::string text) {
    return node.has_current_version_traffic() ? text : std::string();
  };
  table->AddRow({
      node.node_id(),
      {state, StateStyle(node.state())},
      node.version().revision() == 0 ? "" : fmt::format("{}", node.version().revision()),
      FormatAgeSince(node.since_unix_ms(), now_unix_ms),
      if_reported(fmt::format("{}", report.downstream_connections())),
      if_reported(FormatRate(node.requests_per_second())),
      {if_reported(FormatRatio(node.error_ratio())), ErrorStyle(node.error_ratio())},
      if_reported(FormatLatency(node.p99_ms())),
      if_reported(FormatAge(static_cast<int64_t>(report.uptime_seconds()))),
      LabelsText({node.hello().labels().begin(), node.hello().labels().end()}),
      node.peer_address(),
      node.hello().build_version(),
      ShortRoot(node.version().root()),
      if_reported(UnhealthyCount(report)),
      if_since(fmt::format("{}", since.requests())),
      {if_since(FormatRatio(since.error_ratio())), ErrorStyle(since.error_ratio())},
      if_since(FormatLatency(since.p99_ms())),
      node.reason(),
  });
}

}  // namespace

std::string StateName(v1::NodeStatus::State state) {
  std::string name = v1::NodeStatus::State_Name(state);
  if (name.empty()) return fmt::format("state {}", static_cast<int>(state));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

Style StateStyle(v1::NodeStatus::State state) {
  switch (state) {
    case v1::NodeStatus::SYNCED:
      return Style::kGreen;
    case v1::NodeStatus::UPDATING:
      return Style::kCyan;
    case v1::NodeStatus::REJECTED:
    case v1::NodeStatus::UNREACHABLE:
      return Style::kRed;
    case v1::NodeStatus::LAGGING:
    case v1::NodeStatus::DRAINING:
    case v1::NodeStatus::CORDONED:
      return Style::kYellow;
    default:
      return Style::kPlain;
  }
}

Style ErrorStyle(double error_ratio) { return error_ratio > 0.01 ? Style::kRed : Style::kPlain; }

std::string LabelsText(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

Text NodesText(const v1::FleetStatus& status, int64_t now_unix_ms, bool wide) {
  if (status.nodes().empty()) return Text().Line("No nodes: no proxy has connected yet.");
  Table table(
      {"NAME", "STATE", "VERSION", "AGE", "CONNS", "REQ/S", "5XX", "P99", "UPTIME", "LABELS",
       "ADDRESS", "BUILD", "ROOT", "UNHEALTHY", "REQS-SINCE", "5XX-SINCE", "P99-SINCE", "REASON"},
      {.wide = wide, .wide_from = 9});
  for (const v1::NodeStatus& node : status.nodes()) AddNode(&table, node, now_unix_ms);
  return table.ToText();
}

}  // namespace sluice::sluicectl
