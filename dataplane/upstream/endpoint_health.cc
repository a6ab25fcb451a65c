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
  usable_since_micros_.store(base::MonotonicMicros(), std::memory_order_relaxed);
  // In this order: whoever sees the new count also sees the new health.
  healthy_.store(healthy, std::memory_order_relaxed);
  changes_.fetch_add(1, std::memory_order_release);
}

void EndpointHealth::Eject(std::string reason, int64_t now_unix_ms, int64_t until_unix_ms) {
  const std::lock_guard lock(mutex_);
  ejection_reason_ = std::move(reason);
  ejected_unix_ms_ = now_unix_ms;
  ejected_until_unix_ms_ = until_unix_ms;
  ejected_.store(true, std::memory_order_relaxed);
  changes_.fetch_add(1, std::memory_order_release);
}

void EndpointHealth::Readmit(int64_t now_unix_ms) {
  if (!ejected()) return;
  const std::lock_guard lock(mutex_);
  if (now_unix_ms < ejected_until_unix_ms_) return;
  usable_since_micros_.store(base::MonotonicMicros(), std::memory_order_relaxed);
  ejected_.store(false, std::memory_order_relaxed);
  changes_.fetch_add(1, std::memory_order_release);
}

EndpointHealth::Status EndpointHealth::status() const {
  const std::lock_guard lock(mutex_);
  if (ejected()) return {false, true, ejection_reason_, ejected_unix_ms_};
  return {healthy(), false, reason_, since_unix_ms_};
}

}  // namespace sluice::upstream
