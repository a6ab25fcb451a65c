// The time, and a way for tests to move it.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::base {

// Wall clock; may jump. For stamps that people or other machines read.
int64_t UnixMicros();
inline int64_t UnixMillis() { return UnixMicros() / 1000; }
inline int64_t UnixSeconds() { return UnixMicros() / 1'000'000; }

// Never goes back; unrelated to the date. For deadlines and durations.
int64_t MonotonicNanos();
inline int64_t MonotonicMicros() { return MonotonicNanos() / 1000; }
inline int64_t MonotonicMillis() { return MonotonicNanos() / 1'000'000; }

// What decides by time takes one of these, so that a test can hold the hands.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t unix_micros() const = 0;
  virtual int64_t monotonic_micros() const = 0;

  int64_t unix_millis() const { return unix_micros() / 1000; }
  int64_t monotonic_millis() const { return monotonic_micros() / 1000; }
};

// The machine's clock; lives as long as the process.
const Clock& SystemClock();

// Stands still until told to move. Any thread may read or move it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t unix_micros = 1'700'000'000'000'000) : unix_micros_(unix_micros) {}

  int64_t unix_micros() const override { return unix_micros_.load(std::memory_order_relaxed); }
  int64_t monotonic_micros() const override {
    return monotonic_micros_.load(std::memory_order_relaxed);
  }

  void AdvanceMicros(int64_t micros) {
    unix_micros_.fetch_add(micros, std::memory_order_relaxed);
    monotonic_micros_.fetch_add(micros, std::memory_order_relaxed);
  }
  void AdvanceMillis(int64_t millis) { AdvanceMicros(millis * 1000); }
  // What an administrator or NTP does: the monotonic clock does not notice.
  void JumpWallClockMicros(int64_t micros) {
    unix_micros_.fetch_add(micros, std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> unix_micros_;
  std::atomic<int64_t> monotonic_micros_{1'000'000};
};

}  // namespace sluice::base
