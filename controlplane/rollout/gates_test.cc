#include "controlplane/rollout/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/yaml/draft.h"

namespace sluice::rollout {
namespace {

using publish::Traffic;
using ::testing::HasSubstr;

// All requests in the bucket up to the bound with this index.
Traffic Served(uint64_t requests, uint64_t errors, size_t bucket = 3) {
  Traffic traffic;
  traffic.requests = requests;
  traffic.errors = errors;
  for (size_t i = bucket; i < traffic.buckets.size(); ++i) traffic.buckets[i] = requests;
  return traffic;
}

v1::RolloutGates Gates() { return yaml::DefaultRollout().gates(); }  // 2 points, 50 %.

Control Elsewhere(Traffic traffic) { return {.traffic = traffic, .nodes = 4}; }

TEST(GatesTest, MoreErrorsThanBeforeAndElsewhereFail) {
  const Judged subject{.id = "n1", .before = Served(1000, 0), .after = Served(100, 30)};
  const auto finding = JudgeErrors(Gates(), subject, Elsewhere(Served(4000, 40)));
  EXPECT_FALSE(finding.passed());
  EXPECT_EQ(finding.message(),
            "5xx 30.0 % of 100 requests; before 0.0 % of 1000 requests; nodes without the version "
            "(4) 1.0 % of 4000 requests; up to 3.0 % is allowed");
}

TEST(GatesTest, ErrorsThatWereThereBeforeOrAreElsewhereDoNot) {
  const Traffic bad = Served(100, 30);
  EXPECT_TRUE(
      JudgeErrors(Gates(), {.before = Served(100, 30), .after = bad}, Elsewhere(Served(100, 0)))
          .passed());
  EXPECT_TRUE(
      JudgeErrors(Gates(), {.before = Served(100, 0), .after = bad}, Elsewhere(Served(100, 29)))
          .passed());
}

TEST(GatesTest, AFewRequestsDecideNothing) {
  const Traffic before = Served(1000, 0);
  EXPECT_TRUE(JudgeErrors(Gates(), {.before = before, .after = Served(19, 19)}, {}).passed());
  EXPECT_TRUE(JudgeErrors(Gates(), {.before = before, .after = Served(40, 4)}, {}).passed());
  EXPECT_FALSE(JudgeErrors(Gates(), {.before = before, .after = Served(20, 5)}, {}).passed());
}

TEST(GatesTest, WithoutAnythingToCompareErrorsStandAgainstNone) {
  EXPECT_FALSE(JudgeErrors(Gates(), {.after = Served(100, 30)}, {}).passed());
  EXPECT_TRUE(JudgeErrors(Gates(), {.after = Served(1000, 20)}, {}).passed());
}

TEST(GatesTest, NothingIsJudgedWhileTheOthersHaveNotTold) {
  Control control = Elsewhere(Served(10, 0));
  control.awaited = true;
  const Judged judged{.before = Served(1000, 0, 4), .after = Served(200, 100, 8)};
  EXPECT_TRUE(JudgeErrors(Gates(), judged, control).passed());
  EXPECT_TRUE(JudgeLatency(Gates(), judged, control).passed());
  control.awaited = false;
  EXPECT_FALSE(JudgeErrors(Gates(), judged, control).passed());
  EXPECT_FALSE(JudgeLatency(Gates(), judged, control).passed());
}

TEST(GatesTest, SlowerThanBeforeAndElsewhereFails) {
  // 5 to 10 ms before, 100 to 250 ms now.
  const Judged subject{.before = Served(1000, 0, 4), .after = Served(200, 0, 8)};
  const auto finding = JudgeLatency(Gates(), subject, {});
  EXPECT_FALSE(finding.passed());
  EXPECT_THAT(finding.message(), HasSubstr("before 9.9 ms over 1000 requests"));
  EXPECT_TRUE(JudgeLatency(Gates(), subject, Elsewhere(Served(1000, 0, 8))).passed());
}

TEST(GatesTest, LatencyIsNotJudgedByFewRequestsOrAgainstNothing) {
  EXPECT_TRUE(JudgeLatency(Gates(), {.before = Served(1000, 0, 4), .after = Served(99, 0, 8)}, {})
                  .passed());
  const auto finding = JudgeLatency(Gates(), {.after = Served(200, 0, 8)}, {});
  EXPECT_TRUE(finding.passed());
  EXPECT_THAT(finding.message(), HasSubstr("nothing to hold it against"));
}

TEST(GatesTest, SmallDifferencesAreTheHistograms) {
  // 1 ms against 5 ms is less than the slack.
  EXPECT_TRUE(JudgeLatency(Gates(), {.before = Served(1000, 0, 1), .after = Served(200, 0, 3)}, {})
                  .passed());
}

TEST(GatesTest, AnUpstreamThatBrokeWithTheVersionFails) {
  publish::NodeView node;
  node.id = "n1";
  node.broken_upstreams = {"a", "b", "c"};
  const auto finding = JudgeEndpoints(node, {"a"}, {"b"});
  EXPECT_FALSE(finding.passed());
  EXPECT_EQ(finding.message(), "most endpoints of c are unhealthy since it has the version");
  EXPECT_TRUE(JudgeEndpoints(node, {"a", "c"}, {"b"}).passed());
}

TEST(GatesTest, RequestsAreCountedAgainstTheLeastNumber) {
  EXPECT_FALSE(JudgeRequests(Gates(), 99).passed());
  EXPECT_TRUE(JudgeRequests(Gates(), 100).passed());
}

}  // namespace
}  // namespace sluice::rollout
