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
#include "dataplane/upstream/slow_start.h"

namespace sluice::upstream {

class Cluster {
 public:
  Cluster(std::shared_ptr<const ClusterSpec> spec, PoolSet& pools, observe::ClusterStats& stats,
          uint64_t seed);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const ClusterSpec& spec() const { return *spec_; }
  observe::ClusterStats& stats() { return stats_; }

  class Load;
  static constexpr int kNoEndpoint = -1;  // None may be used.
  static constexpr int kNoRoom = -2;      // The circuit breaker lets none pass at present.
  // Index of an endpoint that takes a request, which `load` then counts there; or one of these.
  // `waited`: AwaitRoom's.
  int Enter(uint64_t hash, const TriedEndpoints& tried, bool waited, Load* load);

  Pool& pool(int endpoint) { return *pools_[static_cast<size_t>(endpoint)]; }
  PoolLimits pool_limits() const {
    return {spec_->idle_timeout, spec_->idle_connections_max, spec_->requests_max};
  }

  // Counts a request as under way on an endpoint until it is destroyed.
  class Load {
   public:
    Load() = default;
    Load(Load&& other) noexcept
        : cluster_(std::exchange(other.cluster_, nullptr)), endpoint_(other.endpoint_) {}
    Load& operator=(Load&& other) noexcept {
      std::swap(cluster_, other.cluster_);
      std::swap(endpoint_, other.endpoint_);
      return *this;
    }
    ~Load();
    explicit operator bool() const { return cluster_ != nullptr; }

   private:
    friend class Cluster;
    // Of room that was taken.
    Load(Cluster& cluster, size_t endpoint);

    Cluster* cluster_ = nullptr;
    size_t endpoint_ = 0;
  };

  // For each request, before its first try.
  void BeginRequest(int64_t now_micros);
  // False where the budget is used up: an upstream in trouble must not get much more of what
  // troubles it.
  bool TakeRetry();
  // The same for a try beside another one.
  bool TakeHedge();

 private:
  bool SpendRetry();
  void EarnRetries(int64_t now_micros);

  std::shared_ptr<const ClusterSpec> spec_;
  observe::ClusterStats& stats_;
  std::vector<EndpointLoad> loads_;  // The balancer looks at them.
  std::vector<std::shared_ptr<Pool>> pools_;
  Balancer balancer_;
  SlowStart slow_start_;
  uint32_t requests_active_ = 0;
  uint64_t retry_budget_;  // In hundredths of a retry.
  int64_t earned_micros_ = 0;
};

}  // namespace sluice::upstream
