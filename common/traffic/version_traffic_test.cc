#include "common/traffic/version_traffic.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::traffic {
namespace {

v1::VersionTraffic Traffic(uint64_t begin, uint64_t end, std::vector<uint64_t> classes,
                           std::vector<uint64_t> buckets) {
  v1::VersionTraffic traffic;
  traffic.set_effective_unix_ms(begin);
  traffic.set_superseded_unix_ms(end);
  uint64_t requests = 0;
  for (const uint64_t count : classes) {
    traffic.add_responses_by_class(count);
    requests += count;
  }
  traffic.set_requests(requests);
  for (const uint64_t count : buckets) traffic.add_latency_buckets(count);
  return traffic;
}

TEST(LatencyQuantileTest, LiesOnAStraightLineWithinItsBucket) {
  EXPECT_DOUBLE_EQ(LatencyQuantileMs(std::vector<uint64_t>{98, 198, 200, 200}, 0.99), 1.0);
  EXPECT_DOUBLE_EQ(LatencyQuantileMs(std::vector<uint64_t>{0, 100}, 0.5), 0.75);
}

TEST(LatencyQuantileTest, WithoutObservationsIsZero) {
  EXPECT_EQ(LatencyQuantileMs({}, 0.99), 0);
  EXPECT_EQ(LatencyQuantileMs(std::vector<uint64_t>{0, 0}, 0.99), 0);
}

TEST(LatencyQuantileTest, BeyondTheLastBoundIsTheLastBound) {
  std::vector<uint64_t> slow(kLatencyBoundsMicros.size() + 1, 0);
  slow.back() = 10;
  EXPECT_DOUBLE_EQ(LatencyQuantileMs(slow, 0.99), 60'000);
  slow.resize(slow.size() + 1000, 10);  // Of a stranger.
  EXPECT_DOUBLE_EQ(LatencyQuantileMs(slow, 0.99), 60'000);
}

TEST(LatencyQuantileTest, BucketsThatShrinkAreTakenToo) {
  EXPECT_GE(LatencyQuantileMs(std::vector<uint64_t>{90, 10, 100}, 0.99), 0);
}

TEST(VersionTrafficTest, FiguresAreOverTheTimeItWasEffective) {
  const auto ended = FiguresOf(Traffic(10'000, 20'000, {0, 90, 0, 5, 5}, {100, 100}), 99'000);
  EXPECT_DOUBLE_EQ(ended.seconds(), 10);
  EXPECT_EQ(ended.requests(), 100u);
  EXPECT_EQ(ended.errors(), 5u);
  EXPECT_DOUBLE_EQ(ended.requests_per_second(), 10);
  EXPECT_DOUBLE_EQ(ended.error_ratio(), 0.05);
  EXPECT_GT(ended.p99_ms(), 0);

  const auto current = FiguresOf(Traffic(10'000, 0, {0, 100, 0, 0, 0}, {}), 30'000);
  EXPECT_DOUBLE_EQ(current.seconds(), 20);
  EXPECT_DOUBLE_EQ(current.requests_per_second(), 5);
}

TEST(VersionTrafficTest, ClocksThatDisagreeGiveNoNegativeTime) {
  const auto figures = FiguresOf(Traffic(50'000, 0, {0, 1, 0, 0, 0}, {}), 10'000);
  EXPECT_EQ(figures.seconds(), 0);
  EXPECT_EQ(figures.requests_per_second(), 0);
}

TEST(VersionTrafficTest, ASumGoesOnWhileOneOfItsPartsDoes) {
  v1::VersionTraffic sum;
  AddTraffic(Traffic(20'000, 30'000, {0, 1, 0, 0, 0}, {1, 1}), &sum);
  EXPECT_EQ(sum.effective_unix_ms(), 20'000u);
  EXPECT_EQ(sum.superseded_unix_ms(), 30'000u);
  AddTraffic(Traffic(10'000, 15'000, {0, 1, 0, 0, 1}, {1, 2}), &sum);
  EXPECT_EQ(sum.effective_unix_ms(), 10'000u);
  EXPECT_EQ(sum.superseded_unix_ms(), 30'000u);
  AddTraffic(Traffic(12'000, 0, {0, 1, 0, 0, 0}, {0, 1, 1}), &sum);
  EXPECT_EQ(sum.superseded_unix_ms(), 0u);
  AddTraffic(Traffic(12'000, 14'000, {}, {}), &sum);
  EXPECT_EQ(sum.superseded_unix_ms(), 0u);
  EXPECT_EQ(sum.requests(), 4u);
  EXPECT_EQ(sum.responses_by_class(4), 1u);
  ASSERT_EQ(sum.latency_buckets_size(), 3);
  EXPECT_EQ(sum.latency_buckets(1), 4u);
}

}  // namespace
}  // namespace sluice::traffic
