#include <gtest/gtest.h>

#include "controlplane/publish/node.h"

namespace sluice::publish {
namespace {

constexpr int64_t kReportMs = 2000;

v1::Version VersionWith(const std::string& root) {
  v1::Version version;
  version.set_root(root);
  return version;
}

ProxyNode Connected(const std::string& root) {
  ProxyNode node;
  node.id = "n";
  node.stream = 1;
  node.last_seen_ms = 100'000;
  node.version = VersionWith(root);
  node.placed_root = root;
  return node;
}

Meant Whole(const std::string& root) { return {.version = VersionWith(root), .root = root}; }

v1::NodeStatus::State StateAt(const ProxyNode& node, const std::string& released, int64_t now_ms) {
  return StateOf(node, Whole(released), now_ms, kReportMs);
}

TEST(NodeStatusTest, StatesFollowFromWhatIsKnown) {
  ProxyNode node = Connected("a");
  EXPECT_EQ(StateAt(node, "a", 100'000), v1::NodeStatus::SYNCED);
  EXPECT_EQ(StateAt(node, "", 100'000), v1::NodeStatus::SYNCED) << "nothing is released";
  EXPECT_EQ(StateAt(node, "b", 100'000), v1::NodeStatus::UPDATING);
  node.lagging = true;
  EXPECT_EQ(StateAt(node, "b", 100'000), v1::NodeStatus::LAGGING);
  node.NoteRejected("b", "b", {});
  EXPECT_EQ(StateAt(node, "b", 100'000), v1::NodeStatus::REJECTED);
  EXPECT_EQ(StateAt(node, "a", 100'000), v1::NodeStatus::SYNCED);
  node.report.set_draining(true);
  EXPECT_EQ(StateAt(node, "a", 100'000), v1::NodeStatus::DRAINING);
  node.stream = 0;
  EXPECT_EQ(StateAt(node, "a", 100'000), v1::NodeStatus::UNREACHABLE);
}

TEST(NodeStatusTest, ThreeMissedReportsMakeANodeUnreachable) {
  const ProxyNode node = Connected("a");
  EXPECT_EQ(StateAt(node, "a", 100'000 + 3 * kReportMs), v1::NodeStatus::SYNCED);
  EXPECT_EQ(StateAt(node, "a", 100'001 + 3 * kReportMs), v1::NodeStatus::UNREACHABLE);
  EXPECT_EQ(StatusOf(node, Whole("a"), 107'500, kReportMs).reason(), "no report for 7.5 s");
}

TEST(NodeStatusTest, DrainingIsKnownBeforeTheFirstReport) {
  ProxyNode node = Connected("a");
  node.hello.set_draining(true);
  EXPECT_EQ(StateAt(node, "a", 100'000), v1::NodeStatus::DRAINING);
  node.report_ms = 100'000;  // Which says that it is not any more.
  EXPECT_EQ(StateAt(node, "a", 100'000), v1::NodeStatus::SYNCED);
}

TEST(NodeStatusTest, OnlySomeRejectionsAreRemembered) {
  ProxyNode node;
  for (size_t i = 0; i <= ProxyNode::kRejectionsMax; ++i) {
    node.NoteRejected(std::to_string(i), "", {});
  }
  EXPECT_EQ(node.FindRejection("0"), nullptr);
  EXPECT_NE(node.FindRejection("1"), nullptr);
  node.NoteRejected("1", "", {});
  EXPECT_EQ(node.rejections.size(), ProxyNode::kRejectionsMax);
  node.ForgetRejected("1");
  EXPECT_EQ(node.FindRejection("1"), nullptr);
}

v1::Report ReportWith(uint64_t requests, uint64_t errors, const std::vector<uint64_t>& buckets) {
  v1::Report report;
  report.set_requests_total(requests);
  for (const uint64_t count : {uint64_t{0}, requests - errors, uint64_t{0}, uint64_t{0}, errors}) {
    report.add_responses_by_class(count);
  }
  for (const uint64_t count : buckets) report.add_latency_buckets(count);
  return report;
}

TEST(NodeStatusTest, LoadIsWhatHappenedSinceTheReportBefore) {
  ProxyNode node = Connected("a");
  node.previous_report = ReportWith(1000, 900, {1000, 1000, 1000, 1000});
  node.previous_report_ms = 10'000;
  // 200 more in two seconds: 98 under 0.5 ms, 198 under 1 ms, all under 2.5 ms.
  node.report = ReportWith(1200, 950, {1098, 1198, 1200, 1200});
  node.report_ms = 12'000;
  const v1::NodeStatus status = StatusOf(node, Whole("a"), 100'000, kReportMs);
  EXPECT_DOUBLE_EQ(status.requests_per_second(), 100.0);
  EXPECT_DOUBLE_EQ(status.error_ratio(), 0.25);
  EXPECT_DOUBLE_EQ(status.p99_ms(), 1.0);
}

TEST(NodeStatusTest, AProcessThatStartedAgainCountsFromZero) {
  ProxyNode node = Connected("a");
  node.previous_report = ReportWith(1000, 0, {1000});
  node.previous_report_ms = 10'000;
  node.report = ReportWith(50, 0, {50});
  node.report_ms = 12'000;
  EXPECT_DOUBLE_EQ(StatusOf(node, Whole("a"), 100'000, kReportMs).requests_per_second(), 25.0);
}

TEST(NodeStatusTest, StrangeReportsHaveNoFigures) {
  ProxyNode node = Connected("a");
  node.previous_report_ms = 10'000;
  node.report_ms = 12'000;
  EXPECT_EQ(StatusOf(node, Whole("a"), 100'000, kReportMs).p99_ms(), 0.0);
  for (int i = 0; i < 100; ++i) node.report.add_latency_buckets(i == 99 ? 5 : 0);
  EXPECT_LE(StatusOf(node, Whole("a"), 100'000, kReportMs).p99_ms(), 60'000.0);
}

TEST(NodeStatusTest, TrafficOfTheCurrentVersionIsToldOfNoOther) {
  ProxyNode node = Connected("a");
  node.version.set_revision(7);
  node.last_seen_unix_ms = 20'000;
  v1::VersionTraffic& traffic = *node.report.add_traffic_by_version();
  *traffic.mutable_version() = node.version;
  traffic.set_effective_unix_ms(10'000);
  traffic.set_requests(40);
  for (const uint64_t count : {0, 30, 0, 0, 10}) traffic.add_responses_by_class(count);
  const auto figures = [&node] {
    return StatusOf(node, Whole("a"), 100'000, kReportMs).current_version_traffic();
  };
  EXPECT_EQ(figures().version().revision(), 7u);
  EXPECT_DOUBLE_EQ(figures().requests_per_second(), 4.0);
  EXPECT_DOUBLE_EQ(figures().error_ratio(), 0.25);
  node.version.set_revision(8);  // Effective, and the report that says so is still to come.
  EXPECT_EQ(figures().requests(), 0u);
}

TEST(NodeStatusTest, AHugeReportIsCut) {
  v1::Report report;
  for (int i = 0; i < 25'000; ++i) report.add_endpoints();
  for (int i = 0; i < 100; ++i) report.add_last_errors("x");
  for (int i = 0; i < 100; ++i) {
    v1::VersionTraffic& traffic = *report.add_traffic_by_version();
    for (int k = 0; k < 1'000; ++k) traffic.add_latency_buckets(1);
  }
  ProxyNode node;
  KeepReport(report, &node);
  EXPECT_EQ(node.report.endpoints_size(), 20'000);
  EXPECT_EQ(node.report.last_errors_size(), 32);
  EXPECT_EQ(node.report.traffic_by_version_size(), 8);
  EXPECT_EQ(node.report.traffic_by_version(0).latency_buckets_size(), 64);
  NoteHealth(v1::EndpointHealth(), &node.report);  // Known: one with empty names is there.
  v1::EndpointHealth another;
  another.set_cluster("new");
  NoteHealth(another, &node.report);
  EXPECT_EQ(node.report.endpoints_size(), 20'000);
}

TEST(NodeStatusTest, OfThePreviousReportOnlyTheCountersAreKept) {
  ProxyNode node;
  v1::Report report;
  for (uint64_t round = 1; round <= 3; ++round) {
    report.Clear();
    report.set_requests_total(100 * round);
    for (uint64_t i = 0; i < 10 * (4 - round); ++i) report.add_endpoints()->set_cluster("c");
    report.add_certificates()->set_name("one");
    report.add_last_errors("bad");
    report.add_traffic_by_version()->set_requests(round);
    node.report_ms = static_cast<int64_t>(1000 * round);
    KeepReport(report, &node);
    EXPECT_EQ(node.report.SerializeAsString(), report.SerializeAsString());
    EXPECT_EQ(node.previous_report_ms, static_cast<int64_t>(1000 * round));
    EXPECT_EQ(node.previous_report.requests_total(), 100 * (round - 1));
    EXPECT_EQ(node.previous_report.endpoints_size(), 0);
    EXPECT_EQ(node.previous_report.certificates_size(), 0);
    EXPECT_EQ(node.previous_report.last_errors_size(), 0);
    EXPECT_EQ(node.previous_report.traffic_by_version_size(), 0);
    // Cleared messages keep their memory; thousands of nodes must not have twice what they need.
    EXPECT_LT(node.previous_report.SpaceUsedLong(), 1000u);
  }
}

}  // namespace
}  // namespace sluice::publish
