// Whether an endpoint may be used, as its last health checks and its answers to requests tell.
// Shared by all workers, kept across snapshots as long as the endpoint and its check stay the same.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "common/base/clock.h"

namespace sluice::v1 {
class HandoverHealth;
}

namespace sluice::upstream {

class EndpointHealth {
 public:
  explicit EndpointHealth(bool healthy, int64_t made_micros = base::MonotonicMicros())
      : healthy_(healthy), usable_since_micros_(made_micros) {}

  // By its checks.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  // Taken out for some time for how it treated requests.
  bool ejected() const { return ejected_.load(std::memory_order_relaxed); }
  bool usable() const { return healthy() && !ejected(); }  // Hot path.
  // Monotonic; when it became usable the last time, or was made. Hot path.
  int64_t usable_since_micros() const {
    return usable_since_micros_.load(std::memory_order_relaxed);
  }

  // Grows whenever it changes for any endpoint whether it is usable: what was computed from health
  // is good until then. Hot path.
  static uint64_t Changes() { return changes_.load(std::memory_order_acquire); }

  // Control thread. `since_unix_ms` moves only when `healthy` differs from before, or at the first
  // call.
  void Set(bool healthy, std::string reason, int64_t now_unix_ms);

  // Control thread. Whether a check has had an answer, good or bad.
  bool checked() const { return checked_; }
  void NoteChecked() { checked_ = true; }

  // Any thread. `until_unix_ms`: when Readmit takes it back.
  void Eject(std::string reason, int64_t now_unix_ms, int64_t until_unix_ms);
  // Control thread. Takes it back if its time is over.
  void Readmit(int64_t now_unix_ms);
  // How many times it was ejected lately; it decides for how long the next time will be. Any
  // thread.
  std::atomic<uint32_t>& ejections() { return ejections_; }

  // What the process that takes this one's place has to know, all but `key` and what the check's
  // threshold knows. Control thread.
  void Save(v1::HandoverHealth* to) const;
  // Begins where another process's has got to. Control thread, before any worker sees it.
  void Restore(const v1::HandoverHealth& from);
  // Only what requests have told. Control thread.
  void RestoreEjection(const v1::HandoverHealth& from);

  struct Status {
    bool healthy;  // Usable.
    bool ejected;
    std::string reason;
    int64_t since_unix_ms;
  };
  Status status() const;

 private:
  static std::atomic<uint64_t> changes_;

  std::atomic<bool> healthy_;
  std::atomic<bool> ejected_{false};
  std::atomic<uint32_t> ejections_{0};
  std::atomic<int64_t> usable_since_micros_;
  mutable std::mutex mutex_;  // Guards what people read, never the request path.
  std::string reason_;
  int64_t since_unix_ms_ = 0;
  bool checked_ = false;  // Control thread.
  std::string ejection_reason_;
  int64_t ejected_unix_ms_ = 0, ejected_until_unix_ms_ = 0;
};

}  // namespace sluice::upstream
