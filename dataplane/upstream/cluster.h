// One worker's side of a cluster: balancing, pools, what is under way.
//
// On the request path. Kept across snapshots as long as the cluster's identity is the same; the
// pools outlive even that, as long as an endpoint of the same name, address and transport stays.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "dataplane/upstream/balancer.h"
#include "dataplane/upstream/cluster_spec.h"
#include "dataplane/upstream/pool.h"
#include "dataplane/upstream/slow_start.h"

namespace sluice::upstream {

// What of its worker a cluster is given. All of it must outlive the cluster.
struct ClusterHome {
  io::Reactor& reactor;
  PoolSet& pools;
  observe::ClusterStats& stats;
  uint64_t seed;
  uint32_t workers = 1;  // That serve beside each other, this one included.
};

class Cluster {
 public:
  Cluster(std::shared_ptr<const ClusterSpec> spec, const ClusterHome& home);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const ClusterSpec& spec() const { return *spec_; }
  observe::ClusterStats& stats() { return stats_; }

  class Load;
  static constexpr int kNoEndpoint = -1;  // None may be used.
  static constexpr int kNoRoom = -2;      // The circuit breaker lets none pass at present.
  struct Wanted {
    uint64_t hash;
    const TriedEndpoints& tried;
    // What it can do without a connection of its own that is new: with one that has served others
    // before, and beside others on one.
    bool may_reuse = false, may_share = false;
  };
  // Index of an endpoint that takes a request, which `load` then counts there; or one of these.
  // `waited`: AwaitRoom's.
  int Enter(const Wanted& wanted, bool waited, Load* load);
  // Before a connection is opened: false where there may be no more. `load` has it from then on.
  bool TakeConnection(int endpoint, Load* load);

  Pool& pool(int endpoint) { return *pools_[static_cast<size_t>(endpoint)]; }
  // Whether requests to it may go beside others on one connection.
  bool Shares(int endpoint) const;
  PoolLimits pool_limits() const {
    return {spec_->idle_timeout, spec_->idle_connections_max, spec_->requests_max};
  }
  // The same for a connection that comes back: where others wait for it, it is only kept for those
  // of this worker.
  PoolLimits LimitsOfReturn();
  // A request on it, or on a shared one, is over: calls who waits here for a connection. False if
  // nobody does, or others have waited long enough.
  bool PassOn();

  // Counts a request as under way on an endpoint until it is destroyed.
  class Load {
   public:
    Load() = default;
    Load(Load&& other) noexcept
        : cluster_(std::exchange(other.cluster_, nullptr)),
          endpoint_(other.endpoint_),
          slot_(std::move(other.slot_)) {}
    Load& operator=(Load&& other) noexcept {
      std::swap(cluster_, other.cluster_);
      std::swap(endpoint_, other.endpoint_);
      slot_ = std::move(other.slot_);
      return *this;
    }
    ~Load();
    explicit operator bool() const { return cluster_ != nullptr; }
    // For the connection it goes by, where the cluster may have so many only: puts into `slot` what
    // was taken for it, if a new one was expected.
    void GiveSlot(ConnectionSlot* slot) {
      if (slot_) *slot = std::move(slot_);
    }

   private:
    friend class Cluster;
    // Of room that was taken.
    Load(Cluster& cluster, size_t endpoint, ConnectionSlot slot);

    Cluster* cluster_ = nullptr;
    size_t endpoint_ = 0;
    ConnectionSlot slot_;  // Until there is the connection.
  };

  // For each request, before its first try.
  void BeginRequest(int64_t now_micros);
  // False where the budget is used up: an upstream in trouble must not get much more of what
  // troubles it.
  bool TakeRetry();
  // The same for a try beside another one.
  bool TakeHedge();

 private:
  bool NeedsConnection(size_t endpoint, const Wanted& wanted) const;
  Admission::Room EnterAt(size_t endpoint, const Wanted& wanted, bool waited, ConnectionSlot* slot);
  bool DropIdle();
  bool SpendRetry();
  void EarnRetries(int64_t now_micros);

  std::shared_ptr<const ClusterSpec> spec_;
  observe::ClusterStats& stats_;
  std::vector<EndpointLoad> loads_;  // The balancer looks at them.
  std::vector<std::shared_ptr<Pool>> pools_;
  Balancer balancer_;
  SlowStart slow_start_;
  std::optional<Admission::Holder> holder_;  // Where connections are limited.
  io::Reactor& reactor_;
  uint32_t passed_on_ = 0;   // In a row, before those who wait elsewhere.
  bool passing_on_ = false;  // To whom the room goes that is given back next.
  uint32_t requests_active_ = 0;
  const int64_t retry_micros_;  // In which one is earned by time.
  uint64_t retry_budget_;       // In hundredths of a retry.
  int64_t earned_micros_ = 0;
};

}  // namespace sluice::upstream
