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
      cluster_ = other.cluster_;
    }
    Load& operator=(Load&& other) noexcept {
      std::swap(load_, other.load_);
      std::swap(cluster_, other.cluster_);
      return *this;
    }
    ~Load();

   private:
    EndpointLoad* load_ = nullptr;
    Cluster* cluster_ = nullptr;
  };

  // The permission to try once more, for as long as the further try takes.
  class Retry {
   public:
    Retry() = default;
    explicit Retry(Cluster& cluster) : cluster_(&cluster) { ++cluster.retries_active_; }
    Retry(Retry&& other) noexcept : cluster_(std::exchange(other.cluster_, nullptr)) {}
    Retry& operator=(Retry&& other) noexcept {
      std::swap(cluster_, other.cluster_);
      return *this;
    }
    ~Retry() {
      if (cluster_ != nullptr) --cluster_->retries_active_;
    }
    explicit operator bool() const { return cluster_ != nullptr; }

   private:
    Cluster* cluster_ = nullptr;
  };
  // Empty where the budget is used up: an upstream in trouble must not get more of what troubles
  // it.
  Retry TakeRetry();

 private:
  std::shared_ptr<const ClusterSpec> spec_;
  observe::ClusterStats& stats_;
  std::vector<EndpointLoad> loads_;  // The balancer looks at them.
  std::vector<std::shared_ptr<Pool>> pools_;
  Balancer balancer_;
  uint32_t requests_active_ = 0, retries_active_ = 0;
};

}  // namespace sluice::upstream
