// What of a version each node gets, and which version it means by what it got.
#include <utility>

#include "controlplane/publish/fleet.h"

namespace sluice::publish {

std::shared_ptr<const PlacedVersion> Fleet::PlacedFor(const ProxyNode& node,
                                                      const v1::Version& version,
                                                      const SharedResources& resources) {
  return placement_.Of(version, resources, node.hello.labels());
}

const SharedResources& Fleet::ResourcesFor(const ProxyNode& node) const {
  const bool of_candidate = candidate_ && &TargetOf(node.id) == &candidate_->version;
  return of_candidate ? candidate_->resources : released_resources_;
}

v1::Version Fleet::Recognize(const ProxyNode& node, const v1::Version& said) {
  if (said.root().empty()) return said;
  const auto same_number = [&said](const v1::Version& version) {
    return said.revision() == version.revision() && said.epoch() == version.epoch();
  };
  if (same_number(node.version) && said.root() == node.placed_root) return node.version;
  if (same_number(node.offered) && said.root() == node.offered_root) return node.offered;

  using Meant = std::pair<const v1::Version*, const SharedResources*>;
  const Meant target = {&TargetOf(node.id), &ResourcesFor(node)};
  const Meant rollout = {&rollout_.request().version, &rollout_.request().resources};
  const auto is_content_of = [&](const Meant& meant) {
    return !meant.first->root().empty() &&
           PlacedFor(node, *meant.first, *meant.second)->version.root() == said.root();
  };
  for (const Meant& meant : {target, Meant{&released_, &released_resources_}, rollout}) {
    if (same_number(*meant.first) && is_content_of(meant)) return *meant.first;
  }
  // The content of the one under the number of another.
  v1::Version version = said;
  if (is_content_of(target)) version.set_root(target.first->root());
  return version;
}

}  // namespace sluice::publish
