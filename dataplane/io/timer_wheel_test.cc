#include "dataplane/io/timer_wheel.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace sluice::io {
namespace {

constexpr int64_t kStart = 1'000'000'000;

struct Fired {
  int count = 0;
  static void Count(void* self) { ++static_cast<Fired*>(self)->count; }
};

TEST(TimerWheelTest, NeverFiresEarlyAndAtMostTwoTicksLate) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    TimerWheel wheel(kStart);
    const auto delay = static_cast<int64_t>(random() % 60'000 + 1);
    Timer timer;
    Fired fired;
    timer.set_callback(Fired::Count, &fired);
    wheel.Arm(timer, Millis(delay));
    wheel.Advance(kStart + delay * 1000 - 1);
    ASSERT_EQ(fired.count, 0) << delay;
    wheel.Advance(kStart + delay * 1000 + 2 * TimerWheel::kTickMicros);
    ASSERT_EQ(fired.count, 1) << delay;
    wheel.Advance(kStart + 10 * delay * 1000);
    ASSERT_EQ(fired.count, 1) << delay;
  }
}

TEST(TimerWheelTest, MovingADeadlineLaterOrEarlierHolds) {
  TimerWheel wheel(kStart);
  Timer timer;
  Fired fired;
  timer.set_callback(Fired::Count, &fired);
  wheel.Arm(timer, Millis(100));
  wheel.Arm(timer, Millis(500));
  wheel.Advance(kStart + 200'000);
  EXPECT_EQ(fired.count, 0);
  wheel.Arm(timer, Millis(50));
  wheel.Advance(kStart + 280'000);
  EXPECT_EQ(fired.count, 1);
}

TEST(TimerWheelTest, ZeroDisarms) {
  TimerWheel wheel(kStart);
  Timer timer;
  Fired fired;
  timer.set_callback(Fired::Count, &fired);
  wheel.Arm(timer, Millis(100));
  wheel.Arm(timer, Millis(0));
  wheel.Advance(kStart + 10'000'000);
  EXPECT_EQ(fired.count, 0);
}

TEST(TimerWheelTest, DestroyedTimersAreForgotten) {
  TimerWheel wheel(kStart);
  Fired fired;
  {
    Timer timer;
    timer.set_callback(Fired::Count, &fired);
    wheel.Arm(timer, Millis(100));
  }
  wheel.Advance(kStart + 10'000'000);
  EXPECT_EQ(fired.count, 0);
  EXPECT_EQ(wheel.MillisUntilNext(kStart + 10'000'000), -1);
}

struct Destroyer {
  std::vector<std::unique_ptr<Timer>>* timers;
  static void DestroyAll(void* self) { static_cast<Destroyer*>(self)->timers->clear(); }
};

TEST(TimerWheelTest, AFiringTimerMayDestroyOthersOfItsSlot) {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Timer>> others;
  Fired fired;
  Destroyer destroyer{&others};
  Timer first;
  first.set_callback(Destroyer::DestroyAll, &destroyer);
  wheel.Arm(first, Millis(100));
  for (int i = 0; i < 3; ++i) {
    others.push_back(std::make_unique<Timer>());
    others.back()->set_callback(Fired::Count, &fired);
    wheel.Arm(*others.back(), Millis(100));
  }
  wheel.Advance(kStart + 1'000'000);
  EXPECT_EQ(fired.count, 0);
  EXPECT_TRUE(others.empty());
}

TEST(TimerWheelTest, TellsWhenTheNextTimerIsDue) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.MillisUntilNext(kStart), -1);
  Timer timer;
  wheel.Arm(timer, Millis(1000));
  const int wait = wheel.MillisUntilNext(kStart);
  EXPECT_GE(wait, 1000);
  EXPECT_LE(wait, 1020);
}

TEST(TimerWheelTest, ALongPauseFiresEverythingDue) {
  TimerWheel wheel(kStart);
  Fired fired;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 1; i <= 100; ++i) {
    timers.push_back(std::make_unique<Timer>());
    timers.back()->set_callback(Fired::Count, &fired);
    wheel.Arm(*timers.back(), Millis(i * 700));
  }
  wheel.Advance(kStart + 200'000'000);
  EXPECT_EQ(fired.count, 100);
}

TEST(WithinTest, TheSoonerOfTwoLimits) {
  constexpr int64_t kNow = 1'000'000;
  EXPECT_EQ(Within(Millis(5), 0, kNow), Millis(5));
  EXPECT_EQ(Within(Millis(0), 0, kNow), Millis(0)) << "none at all";
  EXPECT_EQ(Within(Millis(5), kNow + 3'000, kNow), Millis(3));
  EXPECT_EQ(Within(Millis(2), kNow + 3'000, kNow), Millis(2));
  EXPECT_EQ(Within(Millis(0), kNow + 3'000, kNow), Millis(3));
  EXPECT_EQ(Within(Millis(0), kNow + 2'001, kNow), Millis(3)) << "never early";
  EXPECT_EQ(Within(Millis(5), kNow - 9'000, kNow), Millis(1)) << "0 would be no limit";
}

}  // namespace
}  // namespace sluice::io
