// Snapshots and offers for tests.
#pragma once

#include <string>

#include "common/snapshot/delta.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::fleetsim::testing {

// One cluster with one endpoint, and a large resource around `word`.
inline snapshot::Resources ResourcesOf(const std::string& word) {
  v1::Cluster cluster;
  cluster.set_name("up");
  cluster.add_endpoints()->set_address("10.0.0.1:80");
  v1::Cluster large;
  large.set_name(std::string(2000, 'x') + word + std::string(600'000, 'y'));
  snapshot::Resources resources = {
      snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, "up", cluster),
      snapshot::MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, "large", large)};
  (void)snapshot::SortAndCheck(&resources).ok();
  return resources;
}

inline snapshot::EncodedDelta OfferOf(uint64_t revision, const snapshot::Resources* base,
                                      const snapshot::Resources& target) {
  v1::Version version;
  version.set_revision(revision);
  version.set_root(snapshot::RootOf(target));
  return snapshot::EncodeDelta(base, target, version, snapshot::ChangedAs::kDelta);
}

}  // namespace sluice::fleetsim::testing
