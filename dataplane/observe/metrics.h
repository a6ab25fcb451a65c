// Counters of the request path: each worker writes its own, scrapes add them up.
//
// Hot path: one relaxed load and store per increment; no lock, no contended line. A worker's block
// for a slot is allocated when that worker first uses it. Series outlive snapshots: a slot keeps
// its counts as long as any snapshot names it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/http/failure.h"
#include "dataplane/http/message.h"

namespace sluice::observe {

// Written by one thread, read by any.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Sub(uint64_t n = 1) { Add(-n); }  // For gauges.
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Upper bounds in microseconds; one more bucket takes the rest.
inline constexpr std::array<uint32_t, 16> kLatencyBoundsMicros = {
    500,     1'000,   2'500,     5'000,     10'000,    25'000,     50'000,     100'000,
    250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
inline constexpr size_t kLatencyBucketCount = kLatencyBoundsMicros.size() + 1;

// A bound belongs to its bucket, as Prometheus' `le` says.
inline size_t LatencyBucketOf(uint64_t micros) {
  size_t bucket = 0;
  while (bucket < kLatencyBoundsMicros.size() && micros > kLatencyBoundsMicros[bucket]) ++bucket;
  return bucket;
}

struct Histogram {
  std::array<Counter, kLatencyBucketCount> buckets;
  Counter sum_micros;
  void Observe(uint64_t micros) {
    buckets[LatencyBucketOf(micros)].Add();
    sum_micros.Add(micros);
  }
};

inline constexpr size_t kMethodCount = static_cast<size_t>(http::Method::kOther) + 1;
inline constexpr size_t kClassCount = 5;  // 1xx to 5xx
inline constexpr size_t kFailureCount = static_cast<size_t>(http::Failure::kCount);

// The index into RouteStats::requests[method]; a status outside 100 to 599 counts as 5xx.
inline size_t ClassOf(uint32_t status) {
  return status >= 100 && status < 600 ? status / 100 - 1 : kClassCount - 1;
}

// By service, route and upstream (empty where the proxy answered itself).
struct RouteStats {
  std::array<std::array<Counter, kClassCount>, kMethodCount> requests;
  Histogram duration;
  Counter request_body_bytes, response_body_bytes;
};

// By service.
struct ListenerStats {
  Counter connections_total, connections_active;  // Active: Add/Sub.
  Counter tls_handshakes_total, tls_handshakes_resumed_total, tls_handshakes_failed_total;
  Counter proxy_headers_refused_total;
  Counter h2_abuse_total;
  Counter bytes_received, bytes_sent;
  std::array<Counter, kFailureCount> failures;
};

// By upstream.
struct ClusterStats {
  Counter connects_total, connects_failed_total, connections_active, connections_idle;
  Counter pool_hits_total, stale_connections_total, retries_total, requests_active;
  Counter retries_refused_total;  // The budget was used up.
  Counter hedges_total, hedges_won_total;
  Counter requests_pending, overflows_total, connection_limit_hits_total;
};

enum class SlotKind : uint8_t { kRoute, kListener, kCluster };
using Slot = uint32_t;

// Series of one kind. Past it, all further names share the last slot, shown as kOverflowName:
// counts stay right in sum while memory and scrapes stay bounded.
inline constexpr Slot kSlotsMax = 1 << 18;
inline constexpr std::string_view kOverflowName = "(other)";

// One worker's blocks of one kind, made when first asked for. At() is for the worker alone, Find()
// for any thread, Drop() for Registry when no worker can write to the slot.
template <typename Block>
class SlotBlocks {
 public:
  SlotBlocks() : chunks_(std::make_unique<std::atomic<Chunk*>[]>(kChunkCount)) {}
  ~SlotBlocks() {
    for (size_t i = 0; i < kChunkCount; ++i) {
      Chunk* chunk = chunks_[i].load(std::memory_order_relaxed);
      if (chunk == nullptr) continue;
      for (auto& block : *chunk) delete block.load(std::memory_order_relaxed);
      delete chunk;
    }
  }
  SlotBlocks(const SlotBlocks&) = delete;
  SlotBlocks& operator=(const SlotBlocks&) = delete;

  Block& At(Slot slot) {
    Chunk* chunk = chunks_[slot / kChunkSlots].load(std::memory_order_relaxed);
    if (chunk != nullptr) [[likely]] {
      Block* block = (*chunk)[slot % kChunkSlots].load(std::memory_order_relaxed);
      if (block != nullptr) [[likely]]
        return *block;
    }
    return Make(slot);
  }

  const Block* Find(Slot slot) const {
    const Chunk* chunk = chunks_[slot / kChunkSlots].load(std::memory_order_acquire);
    if (chunk == nullptr) return nullptr;
    return (*chunk)[slot % kChunkSlots].load(std::memory_order_acquire);
  }

  void Drop(Slot slot) {
    Chunk* chunk = chunks_[slot / kChunkSlots].load(std::memory_order_acquire);
    if (chunk != nullptr) {
      delete (*chunk)[slot % kChunkSlots].exchange(nullptr, std::memory_order_acq_rel);
    }
  }

 private:
  static constexpr size_t kChunkSlots = 256;
  static constexpr size_t kChunkCount = kSlotsMax / kChunkSlots;
  using Chunk = std::array<std::atomic<Block*>, kChunkSlots>;

  [[gnu::noinline]] Block& Make(Slot slot) {
    auto& place = chunks_[slot / kChunkSlots];
    Chunk* chunk = place.load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      chunk = new Chunk{};
      place.store(chunk, std::memory_order_release);
    }
    auto* block = new Block{};
    (*chunk)[slot % kChunkSlots].store(block, std::memory_order_release);
    return *block;
  }

  const std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
};

// One worker's blocks. Owned by Registry; written by that worker alone. A returned reference is
// good until the slot is released.
class WorkerStats {
 public:
  RouteStats& Route(Slot slot) { return routes_.At(slot); }
  ListenerStats& Listener(Slot slot) { return listeners_.At(slot); }
  ClusterStats& Cluster(Slot slot) { return clusters_.At(slot); }
  Counter requests_total;  // Over all routes.

 private:
  friend class Registry;
  SlotBlocks<RouteStats> routes_;
  SlotBlocks<ListenerStats> listeners_;
  SlotBlocks<ClusterStats> clusters_;
};

// What the blocks of one slot add up to, over all workers, when it was read.
struct HistogramSums {
  std::array<uint64_t, kLatencyBucketCount> buckets{};  // Not cumulative.
  uint64_t sum_micros = 0;
};
struct RouteSums {
  std::string_view service, route, upstream;
  std::array<std::array<uint64_t, kClassCount>, kMethodCount> requests{};
  HistogramSums duration;
  uint64_t request_body_bytes = 0, response_body_bytes = 0;
};
struct ListenerSums {
  std::string_view service;
  uint64_t connections_total = 0, connections_active = 0;
  uint64_t tls_handshakes_total = 0, tls_handshakes_resumed_total = 0;
  uint64_t tls_handshakes_failed_total = 0;
  uint64_t proxy_headers_refused_total = 0;
  uint64_t h2_abuse_total = 0;
  uint64_t bytes_received = 0, bytes_sent = 0;
  std::array<uint64_t, kFailureCount> failures{};
};
struct ClusterSums {
  std::string_view upstream;
  uint64_t connects_total = 0, connects_failed_total = 0, connections_active = 0;
  uint64_t connections_idle = 0, pool_hits_total = 0, stale_connections_total = 0;
  uint64_t retries_total = 0, retries_refused_total = 0, requests_active = 0;
  uint64_t hedges_total = 0, hedges_won_total = 0;
  uint64_t requests_pending = 0, overflows_total = 0, connection_limit_hits_total = 0;
};

// Over everything since start, for the report to the controller. Released series stay counted.
struct Totals {
  uint64_t requests = 0;
  std::array<uint64_t, kClassCount> responses_by_class{};
  std::array<uint64_t, kLatencyBucketCount> latency_cumulative{};  // Last: all.
  uint64_t connections_active = 0;
  uint64_t bytes_received = 0, bytes_sent = 0;
};

// Names the slots and adds the workers up. Thread-safe (a lock that workers never take), though
// only the control thread should name and release.
class Registry {
 public:
  Registry();
  ~Registry();

  WorkerStats* AddWorker();

  // The slot of these names, made if new; every call must be paired with Release.
  Slot Route(std::string_view service, std::string_view route, std::string_view upstream);
  Slot Listener(std::string_view service);
  Slot Cluster(std::string_view upstream);
  // When the last user has gone the series disappears and the slot may be used again, zeroed. Call
  // only when no worker can still write to it.
  void Release(SlotKind kind, Slot slot);

  // Only slots that some worker has used, in slot order. The views are good during the call, which
  // must not call the registry.
  void VisitRoutes(const std::function<void(const RouteSums&)>& visit) const;
  void VisitListeners(const std::function<void(const ListenerSums&)>& visit) const;
  void VisitClusters(const std::function<void(const ClusterSums&)>& visit) const;
  Totals Sum() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::observe
