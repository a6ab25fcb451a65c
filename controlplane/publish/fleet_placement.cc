// What of a version each node gets, and which version it means by what it got.
#include <algorithm>
#include <utility>

#include "controlplane/publish/fleet.h"

namespace sluice::publish {
namespace {

// Of one version, beside one for each node: nodes whose labels have just changed.
constexpr size_t kPartsToSpare = 64;

}  // namespace

std::shared_ptr<const PlacedVersion> Fleet::PlacedFor(const ProxyNode& node,
                                                      const v1::Version& version,
                                                      const SharedResources& resources) const {
  return placement_.Of(version, resources, node.hello.labels(), nodes_.size() + kPartsToSpare);
}

std::string Fleet::RootFor(const ProxyNode& node, const v1::Version& version,
                           const SharedResources& resources) const {
  return version.root().empty() ? "" : PlacedFor(node, version, resources)->version.root();
}

std::string Fleet::RootOfRollout(const ProxyNode& node) const {
  return RootFor(node, rollout_.request().version, rollout_.request().resources);
}

Meant Fleet::MeantFor(const ProxyNode& node) const {
  const v1::Version& target = TargetOf(node.id);
  return {.version = target, .root = RootFor(node, target, ResourcesFor(node))};
}

std::vector<ProxyNode*> Fleet::NodesByPart(const v1::Version& version,
                                           const SharedResources& resources) {
  std::vector<std::pair<std::string, ProxyNode*>> nodes;
  nodes.reserve(nodes_.size());
  for (auto& [id, node] : nodes_) nodes.emplace_back(RootFor(node, version, resources), &node);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ProxyNode*> sorted;
  sorted.reserve(nodes.size());
  for (const auto& [root, node] : nodes) sorted.push_back(node);
  return sorted;
}

void Fleet::TakeOfferBack(ProxyNode& node) {
  const bool uncommitted = node.stage == Stage::kOffered || node.stage == Stage::kPrepared;
  if (!node.connected() || !uncommitted) return;
  const std::string root = node.offered.root() == rollout_.root()            ? RootOfRollout(node)
                           : node.offered.root() == TargetOf(node.id).root() ? MeantFor(node).root
                                                                             : node.offered_root;
  if (root == node.offered_root) return;
  if (rollout_.active()) rollout_.Advance(node.id, v1::NodeProgress::WAITING);
  preflight_.erase(node.id);
  // What it has not answered yet is void when it does.
  if (node.stage == Stage::kPrepared) Discard(node);
}

const SharedResources& Fleet::ResourcesFor(const ProxyNode& node) const {
  const bool of_candidate = candidate_ && &TargetOf(node.id) == &candidate_->version;
  return of_candidate ? candidate_->resources : released_resources_;
}

v1::Version Fleet::Recognize(const ProxyNode& node, const v1::Version& said) const {
  if (said.root().empty()) return said;
  const auto same_number = [&said](const v1::Version& version) {
    return said.revision() == version.revision() && said.epoch() == version.epoch();
  };
  if (same_number(node.version) && said.root() == node.placed_root) return node.version;
  if (same_number(node.offered) && said.root() == node.offered_root) return node.offered;

  using Known = std::pair<const v1::Version*, const SharedResources*>;
  const Known target = {&TargetOf(node.id), &ResourcesFor(node)};
  const Known rollout = {&rollout_.request().version, &rollout_.request().resources};
  const auto is_content_of = [&](const Known& known) {
    return RootFor(node, *known.first, *known.second) == said.root();
  };
  for (const Known& known : {target, Known{&released_, &released_resources_}, rollout}) {
    if (same_number(*known.first) && is_content_of(known)) return *known.first;
  }
  // The content of the one under the number of another.
  v1::Version version = said;
  if (is_content_of(target)) version.set_root(target.first->root());
  return version;
}

}  // namespace sluice::publish
