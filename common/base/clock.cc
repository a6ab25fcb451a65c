#include "common/base/clock.h"

#include <ctime>

namespace sluice::base {
namespace {

int64_t ReadNanos(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class MachineClock final : public Clock {
 public:
  int64_t unix_micros() const override { return UnixMicros(); }
  int64_t monotonic_micros() const override { return MonotonicMicros(); }
};

}  // namespace

int64_t UnixMicros() { return ReadNanos(CLOCK_REALTIME) / 1000; }

int64_t MonotonicNanos() { return ReadNanos(CLOCK_MONOTONIC); }

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace sluice::base
