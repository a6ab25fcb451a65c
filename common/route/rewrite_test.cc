#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "common/base/random.h"
#include "common/route/route_table.h"

namespace sluice::route {
namespace {

std::string Host(std::string_view authority) {
  std::string scratch;
  return std::string(HostOf(authority, &scratch));
}

TEST(HostOfTest, LowersAndRemovesPortAndFinalDot) {
  EXPECT_EQ(Host("a.test"), "a.test");
  EXPECT_EQ(Host("A.TEST:80"), "a.test");
  EXPECT_EQ(Host("a.test.:8080"), "a.test");
  EXPECT_EQ(Host("[::1]:80"), "[::1]");
  EXPECT_EQ(Host("[FE80::1]"), "[fe80::1]");
  EXPECT_EQ(Host("[::1"), "[::1");
  EXPECT_EQ(Host("10.0.0.1:443"), "10.0.0.1");
  EXPECT_EQ(Host(""), "");
  EXPECT_EQ(Host(":80"), "");
}

TEST(HostOfTest, ReturnsAViewWhenNothingIsLowered) {
  const std::string authority = "a.test:8080";
  std::string scratch;
  EXPECT_EQ(HostOf(authority, &scratch).data(), authority.data());
  EXPECT_TRUE(scratch.empty());
}

Stripped Strip(std::string_view path, std::string_view prefix) {
  std::string scratch;
  return StripPrefix(path, prefix, &scratch);  // Never in scratch, so the views stay good.
}

TEST(StripPrefixTest, LeavesALeadingSlash) {
  EXPECT_EQ(Strip("/api/v1/users/123", "/api/v1/users").path, "/123");
  EXPECT_EQ(Strip("/api/v1/users/123", "/api/v1/users").removed, "/api/v1/users");
  EXPECT_EQ(Strip("/api", "/api").path, "/");
  EXPECT_EQ(Strip("/api", "/api").removed, "/api");
  EXPECT_EQ(Strip("/api/", "/api").path, "/");
  EXPECT_EQ(Strip("/api/x", "/api/").path, "/x");
  EXPECT_EQ(Strip("/api/x", "/api/").removed, "/api");
}

TEST(StripPrefixTest, OnlyOnSegmentBoundaries) {
  EXPECT_EQ(Strip("/apix", "/api").path, "/apix");
  EXPECT_EQ(Strip("/apix", "/api").removed, "");
  EXPECT_EQ(Strip("/other", "/api").path, "/other");
  EXPECT_EQ(Strip("/api/x", "").path, "/api/x");
  EXPECT_EQ(Strip("/api/x", "/").path, "/api/x");
  EXPECT_EQ(Strip("/api/x", "/").removed, "");
}

TEST(StripPrefixTest, ParametersGoWithTheirSegment) {
  EXPECT_EQ(Strip("/api;v=1/x", "/api").path, "/x");
  EXPECT_EQ(Strip("/api;v=1/x", "/api").removed, "/api;v=1");
  EXPECT_EQ(Strip("/api;v=1", "/api").path, "/");
  EXPECT_EQ(Strip("/a;v/b/x", "/a/b").path, "/x");
}

TEST(StripPrefixTest, NeverYieldsADoubleSlash) {
  EXPECT_EQ(Strip("/api//evil.test/x", "/api").path, "/evil.test/x");
  EXPECT_EQ(Strip("/api;x//evil.test", "/api").path, "/evil.test");
  EXPECT_EQ(Strip("/api////", "/api/").path, "/");
}

TEST(PickWeightedTest, SharesFollowTheWeights) {
  const std::array<uint32_t, 4> cumulative = {10, 10, 40, 100};  // 10, 0, 30, 60.
  std::array<int, 4> picked{};
  base::Random random(9);
  for (int i = 0; i < 100'000; ++i) ++picked[PickWeighted(cumulative, random.Next())];
  EXPECT_NEAR(picked[0], 10'000, 500);
  EXPECT_EQ(picked[1], 0);
  EXPECT_NEAR(picked[2], 30'000, 700);
  EXPECT_NEAR(picked[3], 60'000, 700);
}

TEST(PickWeightedTest, EdgesOfTheRange) {
  const std::array<uint32_t, 3> cumulative = {0, 5, 5};
  EXPECT_EQ(PickWeighted(cumulative, 0), 1);
  EXPECT_EQ(PickWeighted(cumulative, ~uint64_t{0}), 1);
  const std::array<uint32_t, 2> huge = {1, 0xFFFFFFFF};
  EXPECT_EQ(PickWeighted(huge, 0), 0);
  EXPECT_EQ(PickWeighted(huge, ~uint64_t{0}), 1);
}

}  // namespace
}  // namespace sluice::route
