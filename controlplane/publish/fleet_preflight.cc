// The fleet while live requests are routed by a version that is prepared: who does so, what they
// find.
#include <algorithm>

#include "common/base/check.h"
#include "common/preflight/tally.h"
#include "controlplane/publish/fleet.h"

namespace sluice::publish {
namespace {

bool HasPreflight(const ProxyNode& node) {
  const auto& features = node.hello.features();
  return std::find(features.begin(), features.end(), preflight::kFeature) != features.end();
}

}  // namespace

size_t Fleet::BeginPreflight(const Audience& among, uint32_t sample_percent) {
  SLUICE_CHECK(rollout_.phase() == RolloutPhase::kPrepared);
  v1::ControllerMessage message;
  message.mutable_preflight()->set_sample_percent(sample_percent);
  preflight_.clear();
  for (const auto& [id, node] : nodes_) {
    const bool ready = node.connected() && node.stage == Stage::kPrepared &&
                       node.offered.root() == rollout_.root() &&
                       node.placed_root != node.offered_root && !node.placed_root.empty();
    if (!ready || !among.contains(id) || !HasPreflight(node)) continue;
    preflight_[id];
    message.mutable_preflight()->set_root(node.offered_root);
    send_(node.stream, Encode(message));
  }
  return preflight_.size();
}

void Fleet::OnPreflightReport(const ProxyNode& node, const v1::PreflightReport& report) {
  const auto found = preflight_.find(node.id);
  const bool is_of_rollout =
      node.offered.root() == rollout_.root() && report.root() == node.offered_root;
  if (found == preflight_.end() || !is_of_rollout) return;
  preflight::Tally trimmed;
  trimmed.Merge(report);
  found->second = trimmed.ToReport();
}

v1::PreflightSummary Fleet::PreflightFindings() const {
  v1::PreflightSummary summary;
  preflight::Tally all;
  for (const auto& [id, report] : preflight_) {
    summary.add_node_ids(id);
    if (report.has_value()) {
      all.Merge(*report);
    } else {
      summary.add_silent(id);
    }
  }
  *summary.mutable_figures() = all.ToReport();
  return summary;
}

}  // namespace sluice::publish
