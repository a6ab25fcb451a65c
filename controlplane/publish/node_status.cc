#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/traffic/version_traffic.h"
#include "controlplane/publish/node.h"

namespace sluice::publish {
namespace {

// A report that was sent between commit and effect still begins with the version before.
void FillVersionTraffic(const ProxyNode& node, v1::NodeStatus* status) {
  if (node.report.traffic_by_version().empty()) return;
  const v1::VersionTraffic& newest = node.report.traffic_by_version(0);
  // By its number: the root it names is that of its part.
  if (newest.version().revision() != node.version.revision() ||
      newest.version().epoch() != node.version.epoch()) {
    return;
  }
  *status->mutable_current_version_traffic() = traffic::FiguresOf(newest, node.last_seen_unix_ms);
}

void FillLoad(const ProxyNode& node, v1::NodeStatus* status) {
  *status->mutable_report() = node.report;
  FillVersionTraffic(node, status);
  const int64_t elapsed_ms = node.report_ms - node.previous_report_ms;
  if (node.previous_report_ms == 0 || elapsed_ms <= 0) return;
  const Traffic span = Since(TrafficOf(node.previous_report), TrafficOf(node.report));
  status->set_requests_per_second(static_cast<double>(span.requests) * 1000.0 /
                                  static_cast<double>(elapsed_ms));
  status->set_error_ratio(span.error_ratio());
  status->set_p99_ms(span.P99Ms());
}

std::string ReasonOf(const ProxyNode& node, v1::NodeStatus::State state, int64_t now_ms) {
  switch (state) {
    case v1::NodeStatus::UNREACHABLE:
      if (!node.connected()) return node.note.empty() ? "its stream has ended" : node.note;
      return fmt::format("no report for {:.1f} s",
                         static_cast<double>(now_ms - node.last_seen_ms) / 1000);
    case v1::NodeStatus::DRAINING:
      return "asked to drain";
    case v1::NodeStatus::REJECTED:
      return node.errors.empty() ? "it refused the version" : node.errors.front().message();
    case v1::NodeStatus::CORDONED:
      return fmt::format("cordoned: it keeps version {} until it is uncordoned",
                         node.version.revision());
    case v1::NodeStatus::LAGGING:
      return node.stage == Stage::kCommitted ? "it was not effective in time"
                                             : "it did not prepare in time";
    default:
      return node.note;
  }
}

}  // namespace

v1::NodeStatus::State StateOf(const ProxyNode& node, const Meant& target, int64_t now_ms,
                              int64_t report_interval_ms) {
  if (!node.connected() || now_ms - node.last_seen_ms > kReportsMissed * report_interval_ms) {
    return v1::NodeStatus::UNREACHABLE;
  }
  if (node.report.draining() || (node.report_ms == 0 && node.hello.draining())) {
    return v1::NodeStatus::DRAINING;
  }
  const std::string& root = target.version.root();
  if (root.empty() || (node.version.root() == root && node.placed_root == target.root)) {
    return v1::NodeStatus::SYNCED;
  }
  if (node.cordoned) return v1::NodeStatus::CORDONED;
  if (node.FindRejection(target.root) != nullptr) return v1::NodeStatus::REJECTED;
  return node.lagging ? v1::NodeStatus::LAGGING : v1::NodeStatus::UPDATING;
}

v1::NodeStatus StatusOf(const ProxyNode& node, const Meant& target, int64_t now_ms,
                        int64_t report_interval_ms) {
  v1::NodeStatus status;
  status.set_node_id(node.id);
  *status.mutable_version() = node.version;
  status.set_since_unix_ms(static_cast<uint64_t>(node.version_since_unix_ms));
  status.set_last_seen_unix_ms(static_cast<uint64_t>(node.last_seen_unix_ms));
  *status.mutable_hello() = node.hello;
  status.set_cordoned(node.cordoned);
  for (const auto& [key, value] : node.labels_set) (*status.mutable_labels_set())[key] = value;
  status.set_peer_address(node.peer);
  status.set_snapshot_bytes_sent(node.bytes_sent);
  FillLoad(node, &status);
  for (const v1::ResourceError& error : node.errors) *status.add_errors() = error;

  status.set_state(StateOf(node, target, now_ms, report_interval_ms));
  status.set_reason(ReasonOf(node, status.state(), now_ms));
  return status;
}

NodeView ViewOf(const ProxyNode& node, const Meant& asked, const std::string& order_by,
                int64_t now_ms, int64_t report_interval_ms) {
  NodeView view;
  view.id = node.id;
  const auto label = node.hello.labels().find(order_by);
  if (label != node.hello.labels().end()) view.order = label->second;
  view.connected =
      node.connected() && now_ms - node.last_seen_ms <= kReportsMissed * report_interval_ms;
  view.leaving = node.report_ms != 0 ? node.report.draining() : node.hello.draining();
  view.cordoned = node.cordoned;
  view.boot_id = node.hello.boot_id();
  view.root = node.version.root();
  view.reported_root = node.report.current().root();
  // Who has the version, and refuses what new labels place on it, has not refused the version.
  const ProxyNode::Rejection* rejection = node.FindRejection(asked.root);
  if (rejection != nullptr && node.version.root() != asked.version.root()) {
    view.refused = true;
    if (!rejection->errors.empty()) view.refusal = rejection->errors.front().message();
  }
  view.report_ms = node.report_ms;
  view.counters = TrafficOf(node.report);
  view.lately = node.history.Lately(now_ms);
  std::map<std::string, std::pair<int, int>> health;  // Healthy, of all.
  for (const v1::EndpointHealth& endpoint : node.report.endpoints()) {
    auto& [healthy, all] = health[endpoint.cluster()];
    healthy += endpoint.healthy();
    ++all;
  }
  for (const auto& [cluster, counts] : health) {
    if (counts.first * 2 < counts.second) view.broken_upstreams.push_back(cluster);
  }
  return view;
}

}  // namespace sluice::publish
