// The fleet while a version goes out in waves: what is meant for whom.
#include "common/base/check.h"
#include "controlplane/publish/fleet.h"

namespace sluice::publish {

const v1::Version& Fleet::TargetOf(const std::string& node_id) const {
  return candidate_ && candidate_->audience.contains(node_id) ? candidate_->version : released_;
}

void Fleet::ReleaseTo(Audience audience, int64_t now_ms) {
  SLUICE_CHECK(rollout_.phase() == RolloutPhase::kPrepared);
  rollout_.MarkReleased();
  SetCandidate(rollout_.request().version, rollout_.request().resources, std::move(audience));
  for (auto& [id, node] : nodes_) {
    if (!node.connected()) continue;
    if (node.stage == Stage::kPrepared) {
      if (candidate_->audience.contains(id)) {
        Commit(node, candidate_->version, node.offered_root, now_ms);
        continue;
      }
      // Its turn comes later; until then it holds nothing ready.
      Discard(node);
    }
    SendNext(node, now_ms);
  }
}

void Fleet::SetCandidate(const v1::Version& version, SharedResources resources, Audience audience) {
  deltas_.Know(version.root(), resources);
  candidate_ = Candidate{version, std::move(resources), std::move(audience)};
}

void Fleet::Widen(Audience audience, int64_t now_ms) {
  SLUICE_CHECK(candidate_.has_value());
  candidate_->audience = std::move(audience);
  CatchUpAll(now_ms);
}

void Fleet::PromoteCandidate(int64_t now_ms) {
  SLUICE_CHECK(candidate_.has_value());
  const Candidate candidate = *std::move(candidate_);
  candidate_.reset();
  SetReleased(candidate.version, candidate.resources);
  CatchUpAll(now_ms);
}

void Fleet::WithdrawCandidate(int64_t now_ms) {
  candidate_.reset();
  CatchUpAll(now_ms);
}

std::vector<NodeView> Fleet::View(const std::string& root, const std::string& order_by,
                                  int64_t now_ms) const {
  std::vector<NodeView> views;
  views.reserve(nodes_.size());
  const bool of_candidate = candidate_ && candidate_->version.root() == root;
  const v1::Version& version = of_candidate ? candidate_->version : rollout_.request().version;
  const SharedResources& resources =
      of_candidate ? candidate_->resources : rollout_.request().resources;
  const bool known = version.root() == root;
  for (const auto& [id, node] : nodes_) {
    Meant asked = {.version = version, .root = RootFor(node, version, resources)};
    if (!known) {
      asked.version.set_root(root);
      asked.root = root;
    }
    NodeView& view =
        views.emplace_back(ViewOf(node, asked, order_by, now_ms, options_.report_interval_ms));
    view.concerned = asked.root != RootFor(node, released_, released_resources_);
  }
  return views;
}

}  // namespace sluice::publish
