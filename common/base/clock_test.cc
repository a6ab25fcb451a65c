#include "common/base/clock.h"

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

TEST(ClockTest, ManualClockMovesOnlyWhenTold) {
  ManualClock clock(5'000'000);
  const int64_t start = clock.monotonic_micros();
  EXPECT_EQ(clock.unix_millis(), 5000);
  clock.AdvanceMillis(3);
  EXPECT_EQ(clock.unix_micros(), 5'003'000);
  EXPECT_EQ(clock.monotonic_micros(), start + 3000);
}

TEST(ClockTest, JumpOfTheWallClockLeavesMonotonicTimeAlone) {
  ManualClock clock;
  const int64_t monotonic = clock.monotonic_micros();
  const int64_t wall = clock.unix_micros();
  clock.JumpWallClockMicros(-3'600'000'000);
  EXPECT_EQ(clock.monotonic_micros(), monotonic);
  EXPECT_EQ(clock.unix_micros(), wall - 3'600'000'000);
}

TEST(ClockTest, SystemClockAgreesWithTheFunctions) {
  const int64_t before = UnixMicros();
  const int64_t unix_now = SystemClock().unix_micros();
  EXPECT_GE(unix_now, before - 1'000'000);
  EXPECT_GT(unix_now, 1'600'000'000'000'000);  // After 2020: microseconds, not milliseconds.
  const int64_t first = MonotonicNanos();
  EXPECT_GE(MonotonicNanos(), first);
}

}  // namespace
}  // namespace sluice::base
