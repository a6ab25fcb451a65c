#include "dataplane/observe/metrics.h"

#include <mutex>
#include <utility>

#include "dataplane/observe/slot_names.h"

namespace sluice::observe {
namespace {

void AddTo(const Histogram& from, HistogramSums* to) {
  for (size_t i = 0; i < kLatencyBucketCount; ++i) to->buckets[i] += from.buckets[i].Get();
  to->sum_micros += from.sum_micros.Get();
}

void AddTo(const RouteStats& from, RouteSums* to) {
  for (size_t method = 0; method < kMethodCount; ++method) {
    for (size_t code_class = 0; code_class < kClassCount; ++code_class) {
      to->requests[method][code_class] += from.requests[method][code_class].Get();
    }
  }
  AddTo(from.duration, &to->duration);
  to->request_body_bytes += from.request_body_bytes.Get();
  to->response_body_bytes += from.response_body_bytes.Get();
}

void AddTo(const ListenerStats& from, ListenerSums* to) {
  to->connections_total += from.connections_total.Get();
  to->connections_active += from.connections_active.Get();
  to->tls_handshakes_total += from.tls_handshakes_total.Get();
  to->tls_handshakes_resumed_total += from.tls_handshakes_resumed_total.Get();
  to->tls_handshakes_failed_total += from.tls_handshakes_failed_total.Get();
  to->proxy_headers_refused_total += from.proxy_headers_refused_total.Get();
  to->h2_abuse_total += from.h2_abuse_total.Get();
  to->bytes_received += from.bytes_received.Get();
  to->bytes_sent += from.bytes_sent.Get();
  for (size_t i = 0; i < kFailureCount; ++i) to->failures[i] += from.failures[i].Get();
}

void AddTo(const ClusterStats& from, ClusterSums* to) {
  to->connects_total += from.connects_total.Get();
  to->connects_failed_total += from.connects_failed_total.Get();
  to->connections_active += from.connections_active.Get();
  to->connections_idle += from.connections_idle.Get();
  to->pool_hits_total += from.pool_hits_total.Get();
  to->stale_connections_total += from.stale_connections_total.Get();
  to->retries_total += from.retries_total.Get();
  to->retries_refused_total += from.retries_refused_total.Get();
  to->hedges_total += from.hedges_total.Get();
  to->hedges_won_total += from.hedges_won_total.Get();
  to->requests_pending += from.requests_pending.Get();
  to->overflows_total += from.overflows_total.Get();
  to->connection_limit_hits_total += from.connection_limit_hits_total.Get();
  to->requests_active += from.requests_active.Get();
}

// Buckets are made cumulative by the caller, once.
void AddTo(const RouteSums& from, Totals* to) {
  for (const auto& by_class : from.requests) {
    for (size_t i = 0; i < kClassCount; ++i) to->responses_by_class[i] += by_class[i];
  }
  for (size_t i = 0; i < kLatencyBucketCount; ++i) {
    to->latency_cumulative[i] += from.duration.buckets[i];
  }
}

void AddTo(const ListenerSums& from, Totals* to) {
  to->bytes_received += from.bytes_received;
  to->bytes_sent += from.bytes_sent;
}

}  // namespace

struct Registry::State {
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<WorkerStats>> workers;
  SlotNames routes, listeners, clusters;
  Totals released;  // Of series that are gone; buckets not cumulative.

  // Adds up what the workers have in a slot; false: none ever used it.
  template <typename Sums, typename Block>
  bool AddUp(SlotBlocks<Block> WorkerStats::*blocks, Slot slot, Sums* sums) const {
    bool used = false;
    for (const auto& worker : workers) {
      const Block* block = ((*worker).*blocks).Find(slot);
      if (block == nullptr) continue;
      AddTo(*block, sums);
      used = true;
    }
    return used;
  }
  template <typename Block>
  void Drop(SlotBlocks<Block> WorkerStats::*blocks, Slot slot) {
    for (const auto& worker : workers) ((*worker).*blocks).Drop(slot);
  }
};

Registry::Registry() : state_(std::make_unique<State>()) {}

Registry::~Registry() = default;

WorkerStats* Registry::AddWorker() {
  const std::lock_guard lock(state_->mutex);
  return state_->workers.emplace_back(std::make_unique<WorkerStats>()).get();
}

Slot Registry::Route(std::string_view service, std::string_view route, std::string_view upstream) {
  const std::lock_guard lock(state_->mutex);
  return state_->routes.Acquire({std::string(service), std::string(route), std::string(upstream)});
}

Slot Registry::Listener(std::string_view service) {
  const std::lock_guard lock(state_->mutex);
  return state_->listeners.Acquire({std::string(service), "", ""});
}

Slot Registry::Cluster(std::string_view upstream) {
  const std::lock_guard lock(state_->mutex);
  return state_->clusters.Acquire({std::string(upstream), "", ""});
}

void Registry::Release(SlotKind kind, Slot slot) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  switch (kind) {
    case SlotKind::kRoute: {
      if (!state.routes.Release(slot)) return;
      RouteSums sums;
      state.AddUp(&WorkerStats::routes_, slot, &sums);
      AddTo(sums, &state.released);
      state.Drop(&WorkerStats::routes_, slot);
      return;
    }
    case SlotKind::kListener: {
      if (!state.listeners.Release(slot)) return;
      ListenerSums sums;
      state.AddUp(&WorkerStats::listeners_, slot, &sums);
      AddTo(sums, &state.released);
      state.Drop(&WorkerStats::listeners_, slot);
      return;
    }
    case SlotKind::kCluster:
      if (state.clusters.Release(slot)) state.Drop(&WorkerStats::clusters_, slot);
      return;
  }
}

void Registry::VisitRoutes(const std::function<void(const RouteSums&)>& visit) const {
  const std::lock_guard lock(state_->mutex);
  const SlotNames& names = state_->routes;
  for (Slot slot = 0; slot < names.end(); ++slot) {
    RouteSums sums;
    if (!names.in_use(slot) || !state_->AddUp(&WorkerStats::routes_, slot, &sums)) continue;
    sums.service = names.labels(slot)[0];
    sums.route = names.labels(slot)[1];
    sums.upstream = names.labels(slot)[2];
    visit(sums);
  }
}

void Registry::VisitListeners(const std::function<void(const ListenerSums&)>& visit) const {
  const std::lock_guard lock(state_->mutex);
  const SlotNames& names = state_->listeners;
  for (Slot slot = 0; slot < names.end(); ++slot) {
    ListenerSums sums;
    if (!names.in_use(slot) || !state_->AddUp(&WorkerStats::listeners_, slot, &sums)) continue;
    sums.service = names.labels(slot)[0];
    visit(sums);
  }
}

void Registry::VisitClusters(const std::function<void(const ClusterSums&)>& visit) const {
  const std::lock_guard lock(state_->mutex);
  const SlotNames& names = state_->clusters;
  for (Slot slot = 0; slot < names.end(); ++slot) {
    ClusterSums sums;
    if (!names.in_use(slot) || !state_->AddUp(&WorkerStats::clusters_, slot, &sums)) continue;
    sums.upstream = names.labels(slot)[0];
    visit(sums);
  }
}

Totals Registry::Sum() const {
  Totals totals;
  {
    const std::lock_guard lock(state_->mutex);
    totals = state_->released;
    for (const auto& worker : state_->workers) totals.requests += worker->requests_total.Get();
  }
  VisitRoutes([&totals](const RouteSums& sums) { AddTo(sums, &totals); });
  VisitListeners([&totals](const ListenerSums& sums) {
    AddTo(sums, &totals);
    totals.connections_active += sums.connections_active;
  });
  uint64_t cumulative = 0;
  for (uint64_t& bucket : totals.latency_cumulative) bucket = cumulative += bucket;
  return totals;
}

}  // namespace sluice::observe
