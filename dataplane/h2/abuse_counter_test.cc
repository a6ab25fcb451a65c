#include "dataplane/h2/abuse_counter.h"

#include <gtest/gtest.h>

namespace sluice::h2 {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kStart = 1'000'000 * kSecond;

TEST(AbuseCounterTest, WindsDownAtThreeQuartersAndStopsAtTheLimit) {
  for (int kind = 0; kind < static_cast<int>(Abuse::kCount); ++kind) {
    AbuseCounter counter;
    const uint32_t burst = LimitOf(static_cast<Abuse>(kind)).burst;
    for (uint32_t i = 1; i <= burst; ++i) {
      const AbuseVerdict wanted = i >= burst           ? AbuseVerdict::kStop
                                  : i * 4 >= burst * 3 ? AbuseVerdict::kWindDown
                                                       : AbuseVerdict::kFine;
      ASSERT_EQ(counter.Count(static_cast<Abuse>(kind), kStart), wanted) << kind << " " << i;
    }
  }
}

TEST(AbuseCounterTest, WhatComesAtTheRateIsForgotten) {
  AbuseCounter counter;
  const int64_t step = kSecond / LimitOf(Abuse::kPing).per_second;
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(counter.Count(Abuse::kPing, kStart + i * step), AbuseVerdict::kFine);
  }
}

TEST(AbuseCounterTest, TwiceTheRateIsNot) {
  AbuseCounter counter;
  const AbuseLimit limit = LimitOf(Abuse::kReset);
  AbuseVerdict last = AbuseVerdict::kFine;
  for (uint32_t i = 0; i < 2 * limit.burst + 2; ++i) {
    last = counter.Count(Abuse::kReset, kStart + i * kSecond / (2 * limit.per_second));
  }
  EXPECT_EQ(last, AbuseVerdict::kStop);
}

TEST(AbuseCounterTest, KindsAreCountedApart) {
  AbuseCounter counter;
  const uint32_t burst = LimitOf(Abuse::kStall).burst;
  for (uint32_t i = 0; i < burst; ++i) counter.Count(Abuse::kStall, kStart);
  EXPECT_EQ(counter.Count(Abuse::kReset, kStart), AbuseVerdict::kFine);
}

TEST(AbuseCounterTest, WhatIsAllowedDoesNotCount) {
  AbuseCounter counter;
  const uint32_t burst = LimitOf(Abuse::kWindowUpdate).burst;
  counter.Allow(Abuse::kWindowUpdate, 100'000);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(counter.Count(Abuse::kWindowUpdate, kStart), AbuseVerdict::kFine);
  }
  for (uint32_t i = 1; i < burst; ++i) {
    ASSERT_NE(counter.Count(Abuse::kWindowUpdate, kStart), AbuseVerdict::kStop) << i;
  }
  EXPECT_EQ(counter.Count(Abuse::kWindowUpdate, kStart), AbuseVerdict::kStop);
}

TEST(AbuseCounterTest, ContinuationsAreCountedPerSection) {
  AbuseCounter counter;
  for (int section = 0; section < 100; ++section) {
    counter.SectionBegins();
    for (int i = 0; i < 8; ++i) ASSERT_EQ(counter.CountContinuation(8), AbuseVerdict::kFine);
  }
  EXPECT_EQ(counter.CountContinuation(8), AbuseVerdict::kStop);
}

TEST(AbuseCounterTest, ATableThatOnlyTurnsOverIsFine) {
  AbuseCounter counter;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(counter.TableIs(3900 + i % 150, kStart), AbuseVerdict::kFine);
  }
}

TEST(AbuseCounterTest, ATableThatIsEmptiedAgainAndAgainIsNot) {
  AbuseCounter counter;
  AbuseVerdict last = AbuseVerdict::kFine;
  for (uint32_t i = 0; i < LimitOf(Abuse::kTableShrink).burst; ++i) {
    ASSERT_NE(counter.TableIs(4000, kStart), AbuseVerdict::kStop);
    last = counter.TableIs(0, kStart);
  }
  EXPECT_EQ(last, AbuseVerdict::kStop);
}

}  // namespace
}  // namespace sluice::h2
