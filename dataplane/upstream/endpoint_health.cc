#include "dataplane/upstream/endpoint_health.h"

#include <utility>

namespace sluice::upstream {

std::atomic<uint64_t> EndpointHealth::changes_{1};

void EndpointHealth::Set(bool healthy, std::string reason, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  const bool was_healthy = healthy_.load(std::memory_order_relaxed);
  reason_ = std::move(reason);
  if (was_healthy != healthy || since_unix_ms_ == 0) since_unix_ms_ = now_unix_ms;
  if (was_healthy == healthy) return;
  // In this order: whoever sees the new count also sees the new health.
  healthy_.store(healthy, std::memory_order_relaxed);
  changes_.fetch_add(1, std::memory_order_release);
}

EndpointHealth::Status EndpointHealth::status() const {
  const std::lock_guard lock(mutex_);
  return {healthy(), reason_, since_unix_ms_};
}

}  // namespace sluice::upstream
