#include "dataplane/upstream/endpoint_health.h"

#include <algorithm>
#include <utility>

#include "sluice/v1/handover.pb.h"

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

void EndpointHealth::Save(v1::HandoverHealth* to) const {
  const std::lock_guard lock(mutex_);
  to->set_healthy(healthy());
  to->set_checked(checked_);
  to->set_reason(reason_);
  to->set_since_unix_ms(since_unix_ms_);
  to->set_usable_for_micros(base::MonotonicMicros() - usable_since_micros());
  to->set_ejections(ejections_.load(std::memory_order_relaxed));
  if (!ejected()) return;
  to->set_ejected_unix_ms(ejected_unix_ms_);
  to->set_ejected_until_unix_ms(ejected_until_unix_ms_);
  to->set_ejection_reason(ejection_reason_);
}

void EndpointHealth::Restore(const v1::HandoverHealth& from) {
  {
    const std::lock_guard lock(mutex_);
    reason_ = from.reason();
    since_unix_ms_ = from.since_unix_ms();
    checked_ = from.checked();
    const int64_t usable_for = std::max<int64_t>(from.usable_for_micros(), 0);
    usable_since_micros_.store(base::MonotonicMicros() - usable_for, std::memory_order_relaxed);
    healthy_.store(from.healthy(), std::memory_order_relaxed);
    changes_.fetch_add(1, std::memory_order_release);
  }
  RestoreEjection(from);
}

void EndpointHealth::RestoreEjection(const v1::HandoverHealth& from) {
  ejections_.store(from.ejections(), std::memory_order_relaxed);
  if (from.ejected_until_unix_ms() == 0) return;
  Eject(from.ejection_reason(), from.ejected_unix_ms(), from.ejected_until_unix_ms());
}

EndpointHealth::Status EndpointHealth::status() const {
  const std::lock_guard lock(mutex_);
  if (ejected()) return {false, true, ejection_reason_, ejected_unix_ms_};
  return {healthy(), false, reason_, since_unix_ms_};
}

}  // namespace sluice::upstream
