#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/publish/testing_fleet.h"

namespace sluice::publish {
namespace {

using ::testing::ElementsAre;
using testing::HelloOf;
using ::testing::IsEmpty;
using testing::RequestOf;

// Three nodes that serve version 1; n3 is of an older build.
class FleetPreflightTest : public testing::FleetTest {
 protected:
  FleetPreflightTest() {
    const RolloutRequest first = RequestOf(1, "a");
    fleet_.SetReleased(first.version, first.resources);
    for (const uint64_t stream : {1, 2, 3}) {
      v1::Hello hello = HelloOf("n" + std::to_string(stream), "boot", first.version);
      if (stream != 3) hello.add_features("preflight");
      EXPECT_TRUE(fleet_.OnHello(stream, hello, "peer", now_, now_).status.ok());
    }
  }

  void SayPrepared(const RolloutRequest& request) {
    for (const uint64_t stream : {1, 2, 3}) {
      v1::ProxyMessage message;
      message.mutable_prepared()->set_root(request.version.root());
      fleet_.OnMessage(stream, message, now_, now_);
    }
  }
  void PrepareAll(RolloutRequest request) {
    fleet_.StartRollout(request, now_);
    SayPrepared(request);
    ASSERT_EQ(fleet_.rollout().phase(), RolloutPhase::kPrepared);
    sent_.clear();
  }
  void Report(uint64_t stream, const std::string& root, uint64_t requests, uint64_t changed) {
    v1::ProxyMessage message;
    v1::PreflightReport& report = *message.mutable_preflight_report();
    report.set_root(root);
    report.set_requests(requests);
    report.set_changed(changed);
    if (changed > 0) {
      v1::PreflightChange& change = *report.add_changes();
      change.set_route("r");
      change.set_kind(v1::PreflightChange::UNMATCHED);
      change.set_requests(changed);
    }
    fleet_.OnMessage(stream, message, now_, now_);
  }
};

TEST_F(FleetPreflightTest, ThoseChosenWhoCanAreAsked) {
  const RolloutRequest next = RequestOf(2, "b");
  PrepareAll(next);
  EXPECT_EQ(fleet_.BeginPreflight({"n1", "n3"}, 20), 1u);
  ASSERT_EQ(sent_[1].size(), 1u);
  EXPECT_EQ(sent_[1][0].preflight().root(), next.version.root());
  EXPECT_EQ(sent_[1][0].preflight().sample_percent(), 20u);
  EXPECT_THAT(sent_[2], IsEmpty());
  EXPECT_THAT(sent_[3], IsEmpty()) << "it would not understand";
}

TEST_F(FleetPreflightTest, FindingsOfAllAddUpAndTheLastWordOfEachCounts) {
  const RolloutRequest next = RequestOf(2, "b");
  PrepareAll(next);
  fleet_.BeginPreflight({"n1", "n2", "n3"}, 100);
  EXPECT_THAT(fleet_.PreflightFindings().silent(), ElementsAre("n1", "n2"));
  Report(1, next.version.root(), 10, 1);
  Report(1, next.version.root(), 30, 3);
  Report(2, next.version.root(), 5, 0);
  Report(2, "another root", 500, 500);
  Report(3, next.version.root(), 700, 700);
  const v1::PreflightSummary summary = fleet_.PreflightFindings();
  EXPECT_THAT(summary.node_ids(), ElementsAre("n1", "n2"));
  EXPECT_THAT(summary.silent(), IsEmpty());
  EXPECT_EQ(summary.figures().requests(), 35u);
  EXPECT_EQ(summary.figures().changed(), 3u);
  ASSERT_EQ(summary.figures().changes_size(), 1);
  EXPECT_EQ(summary.figures().changes(0).requests(), 3u);
}

TEST_F(FleetPreflightTest, ADryRunIsKeptUntilItIsAbandoned) {
  RolloutRequest next = RequestOf(2, "b");
  next.dry_run = next.keep = true;
  fleet_.StartRollout(next, now_);
  EXPECT_TRUE(sent_[1].back().prepare().dry_run());
  EXPECT_TRUE(sent_[1].back().prepare().keep());
  fleet_.Abandon(now_);
  SayPrepared(next);  // Each has an answer to give first.
  PrepareAll(next);
  EXPECT_EQ(fleet_.BeginPreflight({"n1"}, 100), 1u);
  fleet_.Abandon(now_);
  EXPECT_TRUE(sent_[1].back().has_discard());
  EXPECT_EQ(fleet_.released().revision(), 1u);
}

TEST_F(FleetPreflightTest, TheNextRolloutBeginsWithoutTheLastOnesFindings) {
  const RolloutRequest next = RequestOf(2, "b");
  PrepareAll(next);
  fleet_.BeginPreflight({"n1"}, 100);
  Report(1, next.version.root(), 10, 10);
  fleet_.Release(now_);
  fleet_.StartRollout(RequestOf(3, "c"), now_);
  EXPECT_THAT(fleet_.PreflightFindings().node_ids(), IsEmpty());
}

}  // namespace
}  // namespace sluice::publish
