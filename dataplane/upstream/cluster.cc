#include "dataplane/upstream/cluster.h"

#include <algorithm>
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
    : load_(&cluster.loads_[static_cast<size_t>(endpoint)]), cluster_(&cluster) {
  ++load_->active_requests;
  ++cluster.requests_active_;
  cluster.stats_.requests_active.Add();
}

Cluster::Load::~Load() {
  if (load_ == nullptr) return;
  --load_->active_requests;
  --cluster_->requests_active_;
  cluster_->stats_.requests_active.Sub();
}

Cluster::Retry Cluster::TakeRetry() {
  // So many at a time are never too many.
  constexpr uint32_t kAlwaysAllowed = 3;
  const uint64_t budget = uint64_t{requests_active_} * spec_->retry_budget_percent / 100;
  if (retries_active_ >= std::max<uint64_t>(budget, kAlwaysAllowed)) {
    stats_.retries_refused_total.Add();
    return {};
  }
  stats_.retries_total.Add();
  return Retry(*this);
}

}  // namespace sluice::upstream
