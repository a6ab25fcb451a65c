#include "tools/sluicectl/traffic_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::sluicectl {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;

v1::Version VersionOf(uint64_t revision, const std::string& root) {
  v1::Version version;
  version.set_epoch(1);
  version.set_revision(revision);
  version.set_root(root);
  return version;
}

// `requests` in the last `seconds` before now, or before `end_ms`; every tenth answered by 5xx.
void AddTraffic(v1::NodeStatus* node, const v1::Version& version, uint64_t requests,
                int64_t seconds, int64_t end_ms = 0) {
  v1::VersionTraffic* traffic = node->mutable_report()->add_traffic_by_version();
  *traffic->mutable_version() = version;
  traffic->set_effective_unix_ms(
      static_cast<uint64_t>((end_ms == 0 ? kNow : end_ms) - seconds * 1000));
  traffic->set_superseded_unix_ms(static_cast<uint64_t>(end_ms));
  traffic->set_requests(requests);
  for (const uint64_t count :
       {uint64_t{0}, requests - requests / 10, uint64_t{0}, uint64_t{0}, requests / 10}) {
    traffic->add_responses_by_class(count);
  }
  for (int i = 0; i < 17; ++i) traffic->add_latency_buckets(i < 2 ? 0 : requests);
}

v1::FleetStatus Fleet() {
  v1::FleetStatus status;
  v1::NodeStatus* one = status.add_nodes();
  AddTraffic(one, VersionOf(3, "a"), 100, 10);
  AddTraffic(one, VersionOf(2, "b"), 1000, 50, kNow - 10'000);
  AddTraffic(one, VersionOf(1, "a"), 5, 5, kNow - 60'000);
  v1::NodeStatus* two = status.add_nodes();
  AddTraffic(two, VersionOf(2, "b"), 500, 60);
  status.add_nodes();  // Has not reported.
  return status;
}

TEST(TrafficTextTest, OneRowForEachVersionOfANode) {
  EXPECT_EQ(TrafficText(Fleet().nodes(0).report().traffic_by_version(), kNow).Render(false),
            "VERSION   FOR   REQUESTS   REQ/S   2XX   3XX   4XX   5XX   5XX%    P99\n"
            "3 (now)   10s   100        10.0    90    0     0     10    10.0%   2.5ms\n"
            "2         50s   1000       20.0    900   0     0     100   10.0%   2.5ms\n"
            "1         5s    5          1.0     5     0     0     0     0%      2.5ms\n");
}

TEST(SumTrafficTest, KnowsAVersionByItsNumber) {
  // Nodes name the root of what is placed on them of it.
  const FleetTraffic sum = SumTraffic(Fleet(), VersionOf(2, "the whole"));
  EXPECT_EQ(sum.nodes_now, 1);
  EXPECT_EQ(sum.nodes_ever, 2);
}

TEST(SumTrafficTest, CountsUnderAVersionAndSinceIt) {
  const FleetTraffic sum = SumTraffic(Fleet(), VersionOf(2, "b"));
  EXPECT_EQ(sum.nodes_now, 1);
  EXPECT_EQ(sum.nodes_ever, 2);
  EXPECT_EQ(sum.under.requests(), 1500u);
  EXPECT_EQ(sum.under.superseded_unix_ms(), 0u);
  EXPECT_EQ(sum.since.requests(), 1600u);
  const Json json = FleetTrafficJson(sum, kNow);
  EXPECT_EQ(json["under"]["requests"], 1500);
  EXPECT_EQ(json["since"]["errors"], 160);
  EXPECT_FALSE(json["under"].contains("version"));
}

TEST(SumTrafficTest, ARollbackIsAVersionOfItsOwn) {
  EXPECT_EQ(SumTraffic(Fleet(), VersionOf(3, "a")).under.requests(), 100u);
  EXPECT_EQ(SumTraffic(Fleet(), VersionOf(1, "a")).under.requests(), 5u);
}

TEST(SumTrafficTest, AnotherLifeOfTheStoreIsNotCounted) {
  v1::Version version = VersionOf(2, "b");
  version.set_epoch(2);
  const FleetTraffic sum = SumTraffic(Fleet(), version);
  EXPECT_EQ(sum.nodes_ever, 0);
  EXPECT_EQ(sum.since.requests(), 0u);
}

}  // namespace
}  // namespace sluice::sluicectl
