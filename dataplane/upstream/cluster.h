// One worker's side of a cluster: balancing, pools, what is under way.
//
// On the request path. Kept across snapshots as long as the cluster's identity is the same; the
// pools outlive even that, as long as an endpoint of the same name, address and transport stays.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/upstream/balancer.h"
#include "dataplane/upstream/cluster_spec.h"
#include "dataplane/upstream/pool.h"

namespace sluice::upstream {

class Cluster {
 public:
  Cluster(std::shared_ptr<const ClusterSpec> spec, PoolSet& pools, observe::ClusterStats& stats,
          uint64_t seed);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const ClusterSpec& spec() const { return *spec_; }
  observe::ClusterStats& stats() { return stats_; }

  // Index of an endpoint, or -1: none may be used.
  int Pick(uint64_t hash, const TriedEndpoints& tried) { return balancer_.Pick(hash, tried); }

  Pool& pool(int endpoint) { return *pools_[static_cast<size_t>(endpoint)]; }
  PoolLimits pool_limits() const {
    return {spec_->idle_timeout, spec_->idle_connections_max, spec_->requests_max};
  }

  // Counts a request as under way on an endpoint until it is destroyed.
  class Load {
   public:
    Load() = default;
    Load(Cluster& cluster, int endpoint);
    Load(Load&& other) noexcept : load_(std::exchange(other.load_, nullptr)) {
      stats_ = other.stats_;
    }
    Load& operator=(Load&& other) noexcept {
      std::swap(load_, other.load_);
      std::swap(stats_, other.stats_);
      return *this;
    }
    ~Load();

   private:
    EndpointLoad* load_ = nullptr;
    observe::ClusterStats* stats_ = nullptr;
  };

 private:
  std::shared_ptr<const ClusterSpec> spec_;
  observe::ClusterStats& stats_;
  std::vector<EndpointLoad> loads_;  // The balancer looks at them.
  std::vector<std::shared_ptr<Pool>> pools_;
  Balancer balancer_;
};

}  // namespace sluice::upstream
