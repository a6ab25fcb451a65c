#include <fmt/format.h>

#include <array>

#include "controlplane/publish/node.h"

namespace sluice::publish {
namespace {

// The bounds of v1::Report.latency_buckets, milliseconds; the same as observe/metrics.h in the
// proxy.
constexpr std::array<double, 16> kBoundsMs = {0.5, 1,   2.5,  5,    10,   25,    50,    100,
                                              250, 500, 1000, 2500, 5000, 10000, 30000, 60000};

uint64_t Delta(uint64_t now, uint64_t before) { return now >= before ? now - before : now; }

// Within the bucket in which the 99th percentile lies, by straight line.
double P99(const v1::Report& now, const v1::Report& before) {
  const int count = now.latency_buckets_size();
  if (count == 0) return 0;
  const bool comparable = before.latency_buckets_size() == count;
  const auto cumulative = [&](int i) {
    return Delta(now.latency_buckets(i), comparable ? before.latency_buckets(i) : 0);
  };
  const uint64_t total = cumulative(count - 1);
  if (total == 0) return 0;
  const double wanted = 0.99 * static_cast<double>(total);
  uint64_t below = 0;
  for (int i = 0; i < count; ++i) {
    const uint64_t reached = cumulative(i);
    if (static_cast<double>(reached) < wanted) {
      below = reached;
      continue;
    }
    if (static_cast<size_t>(i) >= kBoundsMs.size()) break;
    const double low = i == 0 ? 0 : kBoundsMs[static_cast<size_t>(i) - 1];
    const double high = kBoundsMs[static_cast<size_t>(i)];
    const double share = reached == below ? 1
                                          : (wanted - static_cast<double>(below)) /
                                                static_cast<double>(reached - below);
    return low + (high - low) * share;
  }
  return kBoundsMs.back();
}

void FillLoad(const ProxyNode& node, v1::NodeStatus* status) {
  *status->mutable_report() = node.report;
  const int64_t elapsed_ms = node.report_ms - node.previous_report_ms;
  if (node.previous_report_ms == 0 || elapsed_ms <= 0) return;
  const uint64_t requests =
      Delta(node.report.requests_total(), node.previous_report.requests_total());
  status->set_requests_per_second(static_cast<double>(requests) * 1000.0 /
                                  static_cast<double>(elapsed_ms));
  if (requests > 0 && node.report.responses_by_class_size() == 5 &&
      node.previous_report.responses_by_class_size() == 5) {
    const uint64_t errors =
        Delta(node.report.responses_by_class(4), node.previous_report.responses_by_class(4));
    status->set_error_ratio(static_cast<double>(errors) / static_cast<double>(requests));
  }
  status->set_p99_ms(P99(node.report, node.previous_report));
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
    case v1::NodeStatus::LAGGING:
      return node.stage == Stage::kCommitted ? "it was not effective in time"
                                             : "it did not prepare in time";
    default:
      return node.note;
  }
}

}  // namespace

v1::NodeStatus::State StateOf(const ProxyNode& node, const v1::Version& released, int64_t now_ms,
                              int64_t report_interval_ms) {
  if (!node.connected() || now_ms - node.last_seen_ms > kReportsMissed * report_interval_ms) {
    return v1::NodeStatus::UNREACHABLE;
  }
  if (node.report.draining() || (node.report_ms == 0 && node.hello.draining())) {
    return v1::NodeStatus::DRAINING;
  }
  if (released.root().empty() || node.version.root() == released.root()) {
    return v1::NodeStatus::SYNCED;
  }
  if (node.FindRejection(released.root()) != nullptr) return v1::NodeStatus::REJECTED;
  return node.lagging ? v1::NodeStatus::LAGGING : v1::NodeStatus::UPDATING;
}

v1::NodeStatus StatusOf(const ProxyNode& node, const v1::Version& released, int64_t now_ms,
                        int64_t report_interval_ms) {
  v1::NodeStatus status;
  status.set_node_id(node.id);
  *status.mutable_version() = node.version;
  status.set_since_unix_ms(static_cast<uint64_t>(node.version_since_unix_ms));
  status.set_last_seen_unix_ms(static_cast<uint64_t>(node.last_seen_unix_ms));
  *status.mutable_hello() = node.hello;
  status.set_peer_address(node.peer);
  status.set_snapshot_bytes_sent(node.bytes_sent);
  FillLoad(node, &status);
  for (const v1::ResourceError& error : node.errors) *status.add_errors() = error;

  status.set_state(StateOf(node, released, now_ms, report_interval_ms));
  status.set_reason(ReasonOf(node, status.state(), now_ms));
  return status;
}

}  // namespace sluice::publish
