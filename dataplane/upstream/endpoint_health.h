// Whether an endpoint may be used, as the last health checks tell. Shared by all workers, kept
// across snapshots as long as the endpoint and its check stay the same.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace sluice::upstream {

class EndpointHealth {
 public:
  explicit EndpointHealth(bool healthy) : healthy_(healthy) {}

  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }  // Hot path.

  // Grows whenever any endpoint's health flips: what was computed from health is good until then.
  // Hot path.
  static uint64_t Changes() { return changes_.load(std::memory_order_acquire); }

  // Control thread. `since_unix_ms` moves only when `healthy` differs from before, or at the first
  // call.
  void Set(bool healthy, std::string reason, int64_t now_unix_ms);
  struct Status {
    bool healthy;
    std::string reason;
    int64_t since_unix_ms;
  };
  Status status() const;

 private:
  static std::atomic<uint64_t> changes_;

  std::atomic<bool> healthy_;
  mutable std::mutex mutex_;  // Guards what people read, never the request path.
  std::string reason_;
  int64_t since_unix_ms_ = 0;
};

}  // namespace sluice::upstream
