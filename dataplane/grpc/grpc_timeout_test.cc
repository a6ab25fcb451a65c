#include "dataplane/grpc/grpc_timeout.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::grpc {
namespace {

using std::chrono::milliseconds;

std::string Written(milliseconds timeout) {
  char out[kTimeoutCharsMax];
  return {out, WriteTimeout(timeout, out)};
}

TEST(ParseTimeoutTest, ReadsEveryUnitAndRoundsUp) {
  const struct {
    std::string_view value;
    int64_t millis;
  } rows[] = {
      {"1H", 3'600'000},  {"2M", 120'000},
      {"3S", 3000},       {"4m", 4},
      {"5000u", 5},       {"5001u", 6},
      {"1u", 1},          {"1n", 1},
      {"1000000n", 1},    {"1000001n", 2},
      {"00000010m", 10},  {"0n", 0},
      {"99999999n", 100}, {"99999999H", 359'999'996'400'000},
  };
  for (const auto& row : rows) EXPECT_EQ(ParseTimeout(row.value), milliseconds(row.millis));
}

TEST(ParseTimeoutTest, RefusesEverythingElse) {
  for (const std::string_view value :
       {"",    "S",    "1",    "10",  "1s",         "1h",         "1 S", " 1S", "1S ",    "+1S",
        "-1S", "1.5S", "0x1S", "1SS", "123456789m", "1234567890", "1,S", "m1",  "1S, 1S", "٣S"}) {
    EXPECT_EQ(ParseTimeout(value), std::nullopt) << value;
  }
  EXPECT_EQ(ParseTimeout(std::string_view("1\0S", 3)), std::nullopt);
}

TEST(WriteTimeoutTest, KeepsMillisecondsAsLongAsTheyFit) {
  EXPECT_EQ(Written(milliseconds(1)), "1m");
  EXPECT_EQ(Written(milliseconds(99'999'999)), "99999999m");
  EXPECT_EQ(Written(milliseconds(100'000'000)), "100000S");
  EXPECT_EQ(Written(milliseconds(100'000'001)), "100001S");
  EXPECT_EQ(Written(milliseconds(99'999'999'000)), "99999999S");
  EXPECT_EQ(Written(milliseconds(99'999'999'001)), "1666667M");
  EXPECT_EQ(Written(std::chrono::hours(99'999'999)), "99999999H");
}

TEST(WriteTimeoutTest, HoldsToWhatCanBeSaid) {
  EXPECT_EQ(Written(milliseconds(0)), "1n");
  EXPECT_EQ(Written(milliseconds(-5)), "1n");
  EXPECT_EQ(Written(milliseconds::max()), "99999999H");
  EXPECT_EQ(Written(milliseconds::min()), "1n");
}

}  // namespace
}  // namespace sluice::grpc
