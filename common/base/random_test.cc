#include "common/base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <set>

namespace sluice::base {
namespace {

TEST(RandomTest, SameSeedGivesTheSameNumbers) {
  Random a(1);
  Random b(1);
  Random c(2);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = a.Next();
    EXPECT_EQ(number, b.Next());
    differs |= number != c.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(RandomTest, BelowCoversItsRangeEvenly) {
  Random random(3);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) {
    const uint64_t number = random.Below(7);
    ASSERT_LT(number, 7u);
    ++counts[number];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(RandomTest, UnitStaysBelowOne) {
  Random random(4);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double value = random.Unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(RandomTest, KernelSeedsDiffer) {
  std::set<uint64_t> seeds;
  for (int i = 0; i < 50; ++i) seeds.insert(RandomSeed());
  EXPECT_EQ(seeds.size(), 50u);
}

}  // namespace
}  // namespace sluice::base
