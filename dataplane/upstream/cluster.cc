#include "dataplane/upstream/cluster.h"

#include <string>

namespace sluice::upstream {
namespace {

std::vector<EndpointLoad> LoadsOf(const ClusterSpec& spec) {
  std::vector<EndpointLoad> loads;
  loads.reserve(spec.endpoints.size());
  for (const EndpointSpec& endpoint : spec.endpoints) {
    loads.push_back({.health = endpoint.health.get(), .weight = endpoint.weight});
  }
  return loads;
}

std::vector<std::string> AddressesOf(const ClusterSpec& spec) {
  std::vector<std::string> addresses;
  for (const EndpointSpec& endpoint : spec.endpoints) addresses.push_back(endpoint.address);
  return addresses;
}

}  // namespace

Cluster::Cluster(std::shared_ptr<const ClusterSpec> spec, PoolSet& pools,
                 observe::ClusterStats& stats, uint64_t seed)
    : spec_(std::move(spec)),
      stats_(stats),
      loads_(LoadsOf(*spec_)),
      balancer_(spec_->lb_strategy, loads_, AddressesOf(*spec_), spec_->panic_threshold_percent,
                seed) {
  pools_.reserve(spec_->endpoints.size());
  for (const EndpointSpec& endpoint : spec_->endpoints)
    pools_.push_back(pools.Get(endpoint.pool_key));
}

Cluster::Load::Load(Cluster& cluster, int endpoint)
    : load_(&cluster.loads_[static_cast<size_t>(endpoint)]), stats_(&cluster.stats_) {
  ++load_->active_requests;
  stats_->requests_active.Add();
}

Cluster::Load::~Load() {
  if (load_ == nullptr) return;
  --load_->active_requests;
  stats_->requests_active.Sub();
}

}  // namespace sluice::upstream
