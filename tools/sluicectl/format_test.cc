#include "tools/sluicectl/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sluice::sluicectl {
namespace {

TEST(FormatTest, AgesHaveTwoUnitsAtMost) {
  EXPECT_EQ(FormatAge(-5), "0s");
  EXPECT_EQ(FormatAge(59), "59s");
  EXPECT_EQ(FormatAge(192), "3m12s");
  EXPECT_EQ(FormatAge(5 * 3600 + 7 * 60 + 3), "5h7m");
  EXPECT_EQ(FormatAge(12 * 86400 + 3 * 3600), "12d3h");
}

TEST(FormatTest, AgeOfATimeToComeIsZeroAndOfNoneIsADash) {
  EXPECT_EQ(FormatAgeSince(2000, 1000), "0s");
  EXPECT_EQ(FormatAgeSince(1000, 62'000), "1m1s");
  EXPECT_EQ(FormatAgeSince(0, 62'000), "-");
  EXPECT_EQ(FormatAgeSince(std::numeric_limits<uint64_t>::max(), 1000), "0s");
}

TEST(FormatTest, ElapsedIsExactToTheMillisecondWhileShort) {
  EXPECT_EQ(FormatElapsed(214), "0.214 s");
  EXPECT_EQ(FormatElapsed(12'140), "12.1 s");
  EXPECT_EQ(FormatElapsed(125'000), "2m05s");
}

TEST(FormatTest, OddNumbersFromTheWireDoNotShow) {
  EXPECT_EQ(FormatRatio(std::nan("")), "0%");
  EXPECT_EQ(FormatRate(std::numeric_limits<double>::infinity()), "0");
  EXPECT_EQ(FormatLatency(-1), "-");
  EXPECT_EQ(FormatRatio(0.0003), "0.03%");
  EXPECT_EQ(FormatRatio(0.125), "12.5%");
}

TEST(FormatTest, TimesSurviveAnyNumber) {
  EXPECT_EQ(FormatTime(1'700'000'000), "2023-11-14 22:13:20 UTC");
  EXPECT_EQ(FormatTime(0), "-");
  EXPECT_FALSE(FormatTime(std::numeric_limits<int64_t>::max()).empty());
  EXPECT_FALSE(FormatTime(std::numeric_limits<int64_t>::min()).empty());
}

TEST(FormatTest, RootsAreShortenedVisibly) {
  EXPECT_EQ(ShortRoot(std::string("\x3f\xa2\xc1\xb0\x9d\x11\x22\x33", 8)), "3fa2c1b09d11…");
  EXPECT_EQ(ShortRoot(""), "-");
}

TEST(ParseDurationTest, TakesUnitsAndRefusesTheRest) {
  EXPECT_EQ(*ParseDurationMs("1m30s"), 90'000u);
  EXPECT_EQ(*ParseDurationMs("250ms"), 250u);
  for (const char* bad : {"", "30", "0s", "-5s", "5x", "25h", "inf", "1us"}) {
    EXPECT_FALSE(ParseDurationMs(bad).ok()) << bad;
  }
}

TEST(FormatTest, RatiosAreFromZeroToOne) {
  EXPECT_EQ(*ParseRatio("0.05"), 50'000u);
  EXPECT_EQ(*ParseRatio("0"), 0u);
  EXPECT_EQ(*ParseRatio("1"), 1'000'000u);
  for (const char* bad : {"", "5%", "1.01", "-0.1", "x", "0.5x", "nan", "inf"}) {
    EXPECT_FALSE(ParseRatio(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace sluice::sluicectl
