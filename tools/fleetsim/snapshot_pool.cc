#include "tools/fleetsim/snapshot_pool.h"

#include "sluice/v1/cluster.pb.h"

namespace sluice::fleetsim {
namespace {

std::string EndpointsOf(const snapshot::Resources& resources) {
  v1::Report report;
  for (const auto& resource : resources) {
    if (resource->kind() != v1::RESOURCE_KIND_CLUSTER) continue;
    v1::Cluster cluster;
    if (!cluster.ParseFromString(resource->body())) continue;
    for (const v1::Endpoint& endpoint : cluster.endpoints()) {
      v1::EndpointHealth& health = *report.add_endpoints();
      health.set_cluster(cluster.name());
      health.set_address(endpoint.address());
      health.set_healthy(true);
      health.set_reason("200");
      health.set_since_unix_ms(1'700'000'000'000);
    }
  }
  return report.SerializeAsString();
}

template <typename Map>
void DropExpired(Map& map) {
  std::erase_if(map, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace

SnapshotPtr SnapshotPool::Intern(const std::string& root, snapshot::Resources resources) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = snapshots_.find(root); found != snapshots_.end()) {
      if (SnapshotPtr there = found->second.lock(); there != nullptr) return there;
    }
  }
  std::string endpoints = EndpointsOf(resources);
  auto made = std::make_shared<const PooledSnapshot>(
      PooledSnapshot{root, std::move(resources), std::move(endpoints)});
  const std::lock_guard lock(mutex_);
  // Another thread may have been as fast; one of the two is enough.
  if (SnapshotPtr there = snapshots_[root].lock(); there != nullptr) return there;
  snapshots_[root] = made;
  DropExpired(snapshots_);
  return made;
}

std::shared_ptr<Transcript> SnapshotPool::TranscriptOf(const v1::Offer& offer,
                                                       const SnapshotPtr& base) {
  const std::string key = offer.SerializeAsString();
  const std::lock_guard lock(mutex_);
  if (const auto found = transcripts_.find(key); found != transcripts_.end()) {
    const std::shared_ptr<Transcript> there = found->second.lock();
    if (there != nullptr && there->base == base) return there;
  }
  auto made = std::make_shared<Transcript>(offer, base);
  transcripts_[key] = made;
  DropExpired(transcripts_);
  return made;
}

}  // namespace sluice::fleetsim
