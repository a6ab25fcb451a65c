#include "controlplane/rollout/gates.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rollout {
namespace {

v1::RolloutFinding Finding(std::string gate, const std::string& node_id, bool passed,
                           std::string message) {
  v1::RolloutFinding finding;
  finding.set_gate(std::move(gate));
  finding.set_node_id(node_id);
  finding.set_passed(passed);
  finding.set_message(std::move(message));
  return finding;
}

std::string Share(const publish::Traffic& traffic) {
  return fmt::format("{:.1f} % of {} requests", 100 * traffic.error_ratio(), traffic.requests);
}

std::string Slowest(const publish::Traffic& traffic) {
  return fmt::format("{:.1f} ms over {} requests", traffic.P99Ms(), traffic.requests);
}

}  // namespace

v1::RolloutFinding JudgeErrors(const v1::RolloutGates& gates, const Judged& subject,
                               const Control& control) {
  const publish::Traffic& after = subject.after;
  // The better excuse counts: it was as bad before, or it is as bad elsewhere.
  double base = 0;
  std::string held_against;
  if (subject.before.requests >= kErrorsJudgedMin) {
    base = subject.before.error_ratio();
    held_against += fmt::format("; before {}", Share(subject.before));
  }
  if (control.traffic.requests >= kErrorsJudgedMin) {
    base = std::max(base, control.traffic.error_ratio());
    held_against +=
        fmt::format("; nodes without the version ({}) {}", control.nodes, Share(control.traffic));
  }
  const double allowed = base + gates.errors_increase_percent() / 100.0;
  const bool failed = !control.awaited && after.requests >= kErrorsJudgedMin &&
                      after.errors >= kErrorsCountMin && after.error_ratio() > allowed;
  return Finding("errors", subject.id, !failed,
                 fmt::format("5xx {}{}; up to {:.1f} % is allowed", Share(after), held_against,
                             100 * allowed));
}

v1::RolloutFinding JudgeLatency(const v1::RolloutGates& gates, const Judged& subject,
                                const Control& control) {
  const publish::Traffic& after = subject.after;
  double base = 0;
  std::string held_against;
  if (subject.before.requests >= kLatencyJudgedMin) {
    base = subject.before.P99Ms();
    held_against += fmt::format("; before {}", Slowest(subject.before));
  }
  if (control.traffic.requests >= kLatencyJudgedMin) {
    base = std::max(base, control.traffic.P99Ms());
    held_against +=
        fmt::format("; nodes without the version ({}) {}", control.nodes, Slowest(control.traffic));
  }
  const std::string now = fmt::format("p99 {}", Slowest(after));
  // There is no latency that is wrong in itself.
  if (held_against.empty()) {
    return Finding("p99", subject.id, true, now + "; nothing to hold it against");
  }
  const double allowed = base * (1 + gates.p99_increase_percent() / 100.0) + kLatencySlackMs;
  const bool failed =
      !control.awaited && after.requests >= kLatencyJudgedMin && after.P99Ms() > allowed;
  return Finding("p99", subject.id, !failed,
                 fmt::format("{}{}; up to {:.1f} ms is allowed", now, held_against, allowed));
}

v1::RolloutFinding JudgeEndpoints(const publish::NodeView& node,
                                  const std::vector<std::string>& broken_before,
                                  const std::vector<std::string>& broken_elsewhere) {
  const auto is_in = [](const std::vector<std::string>& list, const std::string& name) {
    return std::binary_search(list.begin(), list.end(), name);
  };
  std::string lost;
  for (const std::string& name : node.broken_upstreams) {
    if (is_in(broken_before, name) || is_in(broken_elsewhere, name)) continue;
    lost += (lost.empty() ? "" : ", ") + name;
  }
  if (lost.empty()) {
    return Finding("endpoints", node.id, true, "no upstream lost its healthy majority");
  }
  return Finding("endpoints", node.id, false,
                 fmt::format("most endpoints of {} are unhealthy since it has the version", lost));
}

v1::RolloutFinding JudgeRequests(const v1::RolloutGates& gates, uint64_t requests) {
  return Finding("requests", "", requests >= gates.requests_min(),
                 fmt::format("{} requests served by nodes with the version; {} are needed",
                             requests, gates.requests_min()));
}

}  // namespace sluice::rollout
