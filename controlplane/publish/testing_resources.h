// Snapshots for tests: as many clusters as asked for, told apart by a word.
#pragma once

#include <memory>
#include <string>

#include "common/snapshot/delta.h"
#include "common/snapshot/snapshot.h"
#include "controlplane/publish/rollout.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::publish::testing {

inline SharedResources ResourcesOf(const std::string& word, int clusters = 3) {
  snapshot::Resources resources;
  for (int i = 0; i < clusters; ++i) {
    v1::Cluster cluster;
    cluster.set_name("c" + std::to_string(i));
    cluster.add_endpoints()->set_address(i == 0 ? word : "same");
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, cluster.name(), cluster));
  }
  (void)snapshot::SortAndCheck(&resources).ok();
  return std::make_shared<const snapshot::Resources>(std::move(resources));
}

// A word that makes a resource large enough that what changed of it is sent alone.
inline constexpr size_t kLongWordBytes = 1500;
inline std::string LongWord(const std::string& word) {
  return std::string(kLongWordBytes, 'x') + word;
}

// With one more cluster, "slow", that needs the feature slow_start.
inline SharedResources WithSlowStart(snapshot::Resources resources) {
  v1::Cluster cluster;
  cluster.set_name("slow");
  cluster.set_slow_start_ms(1000);
  resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, cluster.name(), cluster));
  (void)snapshot::SortAndCheck(&resources).ok();
  return std::make_shared<const snapshot::Resources>(std::move(resources));
}

inline v1::Version VersionOf(uint64_t revision, const snapshot::Resources& resources) {
  v1::Version version;
  version.set_epoch(1);
  version.set_revision(revision);
  version.set_root(snapshot::RootOf(resources));
  return version;
}

inline RolloutRequest RequestOf(uint64_t revision, const std::string& word) {
  RolloutRequest request;
  request.resources = ResourcesOf(word);
  request.version = VersionOf(revision, *request.resources);
  return request;
}

inline v1::Hello HelloOf(const std::string& node_id, const std::string& boot_id,
                         const v1::Version& current = {}, bool takes_deltas = false) {
  v1::Hello hello;
  hello.set_node_id(node_id);
  hello.set_boot_id(boot_id);
  hello.set_protocol_version(1);
  *hello.mutable_current() = current;
  if (takes_deltas) hello.add_features(std::string(snapshot::kResourceDeltaFeature));
  return hello;
}

}  // namespace sluice::publish::testing
