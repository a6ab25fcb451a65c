#include "common/base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::base {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, DelaysStayWithinBoundsAndTheCeilingDoubles) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(milliseconds(500), milliseconds(30'000), seed);
    milliseconds ceiling(1000);
    for (int i = 0; i < 12; ++i) {
      const milliseconds delay = backoff.Next();
      ASSERT_GE(delay, milliseconds(500)) << "seed " << seed;
      ASSERT_LE(delay, ceiling) << "seed " << seed;
      ceiling = std::min(ceiling * 2, milliseconds(30'000));
    }
  }
}

TEST(BackoffTest, JitterSpreadsManyClientsOverTheWholeRange) {
  milliseconds least(1'000'000);
  milliseconds most(0);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Backoff backoff(milliseconds(500), milliseconds(30'000), seed);
    for (int i = 0; i < 10; ++i) backoff.Next();
    const milliseconds delay = backoff.Next();
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_LT(least, milliseconds(2000));
  EXPECT_GT(most, milliseconds(28'000));
}

TEST(BackoffTest, ResetStartsLowAgain) {
  Backoff backoff(milliseconds(10), milliseconds(100'000), 1);
  for (int i = 0; i < 20; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next(), milliseconds(20));
}

TEST(BackoffTest, EqualBoundsGiveAFixedDelay) {
  Backoff backoff(milliseconds(7), milliseconds(7), 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(backoff.Next(), milliseconds(7));
}

TEST(BackoffTest, HugeMaximumDoesNotOverflow) {
  Backoff backoff(milliseconds(1), milliseconds::max() / 2, 1);
  for (int i = 0; i < 200; ++i) ASSERT_GE(backoff.Next(), milliseconds(1));
}

}  // namespace
}  // namespace sluice::base
