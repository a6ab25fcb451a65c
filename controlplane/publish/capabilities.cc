#include "controlplane/publish/capabilities.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/config/features.h"

namespace sluice::publish {
namespace {

// As a proxy counts it.
uint64_t BytesOf(const snapshot::Resources& resources) {
  uint64_t bytes = 0;
  for (const auto& resource : resources) bytes += resource->name().size() + resource->body().size();
  return bytes;
}

bool Has(const v1::Hello& hello, std::string_view feature) {
  const auto& declared = hello.features();
  if (std::find(declared.begin(), declared.end(), feature) != declared.end()) return true;
  // Features of the protocol were declared before those of snapshots were.
  return config::IsAssumed(feature) &&
         std::none_of(declared.begin(), declared.end(),
                      [](const std::string& one) { return config::IsAssumed(one); });
}

std::string ReleaseOf(const v1::Hello& hello) {
  return hello.build_version().empty() ? "of an unknown release"
                                       : fmt::format("release {}", hello.build_version());
}

void CheckSize(uint64_t bytes, const v1::Hello& hello, std::vector<v1::ResourceError>* errors) {
  if (hello.snapshot_bytes_max() == 0 || bytes <= hello.snapshot_bytes_max()) return;
  errors->emplace_back().set_message(
      fmt::format("the snapshot has {} bytes, and node {} takes {} at most", bytes, hello.node_id(),
                  hello.snapshot_bytes_max()));
}

}  // namespace

SnapshotNeeds NeedsOf(const snapshot::Resources& resources) {
  SnapshotNeeds needs;
  needs.bytes = BytesOf(resources);
  for (const auto& resource : resources) {
    for (config::FeatureUse& use : config::FeaturesOf(*resource)) {
      SnapshotNeeds::Need& need = needs.needs.emplace_back();
      need.feature = use.feature;
      need.resource.set_kind(resource->kind());
      need.resource.set_name(resource->name());
      need.field = std::move(use.field);
    }
  }
  std::stable_sort(needs.needs.begin(), needs.needs.end(),
                   [](const auto& a, const auto& b) { return a.feature < b.feature; });
  return needs;
}

std::vector<v1::ResourceError> WhatIsLacking(const SnapshotNeeds& needs, const v1::Hello& hello) {
  std::vector<v1::ResourceError> errors;
  CheckSize(needs.bytes, hello, &errors);
  std::string_view looked_at;
  for (const SnapshotNeeds::Need& need : needs.needs) {
    if (need.feature == looked_at) continue;
    looked_at = need.feature;
    if (Has(hello, need.feature)) continue;
    const auto uses = std::count_if(
        needs.needs.begin(), needs.needs.end(),
        [&need](const SnapshotNeeds::Need& other) { return other.feature == need.feature; });
    v1::ResourceError& error = errors.emplace_back();
    *error.mutable_resource() = need.resource;
    error.set_field(need.field);
    error.set_message(
        fmt::format("node {} ({}) does not know {}{}: upgrade the node, or do without",
                    hello.node_id(), ReleaseOf(hello), need.feature,
                    uses > 1 ? fmt::format(", which {} resources need", uses) : ""));
  }
  return errors;
}

bool KnowsEverything(const v1::Hello& hello) {
  const auto known = config::KnownFeatures();
  return std::all_of(known.begin(), known.end(), [&hello](std::string_view feature) {
    return config::IsOfProtocol(feature) || Has(hello, feature);
  });
}

Capabilities::Known& Capabilities::Find(const std::string& root, const SharedResources& resources) {
  for (Known& known : known_) {
    if (known.root == root) return known;
  }
  if (known_.size() == kRootsMax) known_.pop_front();
  return known_.emplace_back(Known{root, BytesOf(*resources), std::nullopt});
}

std::vector<v1::ResourceError> Capabilities::WhatIsLacking(const std::string& root,
                                                           const SharedResources& resources,
                                                           const v1::Hello& hello,
                                                           bool knows_everything) {
  Known& known = Find(root, resources);
  if (knows_everything) {
    std::vector<v1::ResourceError> errors;
    CheckSize(known.bytes, hello, &errors);
    return errors;
  }
  if (!known.needs.has_value()) known.needs = NeedsOf(*resources);
  return publish::WhatIsLacking(*known.needs, hello);
}

}  // namespace sluice::publish
