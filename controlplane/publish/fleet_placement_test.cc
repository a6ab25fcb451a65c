// A fleet whose nodes get different parts of a version.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/publish/testing_fleet.h"
#include "controlplane/publish/testing_placed.h"

namespace sluice::publish {
namespace {

using ::testing::ElementsAre;
using testing::HelloOf;
using ::testing::IsEmpty;
using testing::PlacedSnapshot;
using testing::VersionOf;
// Node 1 has the label of the service "edge", node 2 has not.
class FleetPlacementTest : public testing::FleetTest {
 protected:
  void Connect(uint64_t stream, const v1::Version& current = {}) {
    v1::Hello hello = HelloOf("n" + std::to_string(stream), "boot", current);
    if (stream == 1) (*hello.mutable_labels())["tier"] = "edge";
    EXPECT_TRUE(fleet_.OnHello(stream, hello, "peer", now_, now_).status.ok());
  }
  void Say(uint64_t stream, const v1::ProxyMessage& message) {
    fleet_.OnMessage(stream, message, now_, now_);
  }
  // Answers what the node was sent, as a proxy would.
  void Answer(uint64_t stream) {
    for (const v1::ControllerMessage& message : std::exchange(sent_[stream], {})) {
      v1::ProxyMessage answer;
      if (message.has_prepare()) {
        answer.mutable_prepared()->set_root(message.prepare().root());
        Say(stream, answer);
      } else if (message.has_commit()) {
        has_[stream] = message.commit().version();
        *answer.mutable_applied()->mutable_version() = has_[stream];
        Say(stream, answer);
        *answer.mutable_effective()->mutable_version() = has_[stream];
        Say(stream, answer);
      }
    }
    if (!sent_[stream].empty()) Answer(stream);
  }
  std::vector<Kind> Sent(uint64_t stream) const {
    std::vector<Kind> kinds;
    const auto found = sent_.find(stream);
    if (found == sent_.end()) return kinds;
    for (const v1::ControllerMessage& message : found->second) {
      kinds.push_back(message.message_case());
    }
    return kinds;
  }
  static RolloutRequest Request(uint64_t revision, const std::string& all,
                                const std::string& edge) {
    RolloutRequest request;
    request.resources = PlacedSnapshot({{"all", {}, all}, {"edge", {"tier=edge"}, edge}});
    request.version = VersionOf(revision, *request.resources);
    return request;
  }
  // Both nodes have it.
  RolloutRequest Released(uint64_t revision, const std::string& all, const std::string& edge) {
    const RolloutRequest request = Request(revision, all, edge);
    fleet_.SetReleased(request.version, request.resources);
    for (const uint64_t stream : {1, 2}) {
      Connect(stream);
      Answer(stream);
    }
    return request;
  }
  v1::NodeStatus Status(const std::string& id) {
    return StatusOf(fleet_.nodes().at(id), fleet_.TargetOf(id), now_, 200);
  }

  std::map<uint64_t, v1::Version> has_;
};

TEST_F(FleetPlacementTest, EachNodeHasItsPartAndIsSynced) {
  const RolloutRequest request = Released(1, "a", "a");
  EXPECT_EQ(has_[1].root(), request.version.root());
  EXPECT_NE(has_[2].root(), request.version.root());
  for (const char* id : {"n1", "n2"}) {
    EXPECT_EQ(Status(id).state(), v1::NodeStatus::SYNCED);
    EXPECT_EQ(Status(id).version().root(), request.version.root()) << id;
    EXPECT_EQ(Status(id).version().revision(), 1u);
  }
}

TEST_F(FleetPlacementTest, AnOperatorsLabelPlacesAtOnceAndTakesBack) {
  const RolloutRequest request = Released(1, "a", "a");
  const std::string without = has_[2].root();
  ASSERT_TRUE(fleet_.SetLabels("n2", {{"tier", "edge"}}, now_));
  Answer(2);
  EXPECT_EQ(has_[2].root(), request.version.root());
  ASSERT_TRUE(fleet_.SetLabels("n2", {}, now_));
  Answer(2);
  EXPECT_EQ(has_[2].root(), without);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
}

TEST_F(FleetPlacementTest, WhatIsNotPlacedOnANodeIsNeverSentToIt) {
  const RolloutRequest request = Request(1, "a", "a");
  fleet_.SetReleased(request.version, request.resources);
  Connect(2);
  std::string all;
  for (const v1::ControllerMessage& message : sent_[2]) all += message.SerializeAsString();
  EXPECT_NE(all.find("all-up"), std::string::npos);
  EXPECT_EQ(all.find("edge"), std::string::npos);
}

TEST_F(FleetPlacementTest, AChangeElsewhereIsANewNumberOnly) {
  Released(1, "a", "a");
  const v1::Version before = has_[2];
  const RolloutRequest next = Request(2, "a", "b");
  fleet_.StartRollout(next, now_);
  EXPECT_THAT(Sent(1), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_THAT(Sent(2), IsEmpty());
  Answer(1);
  EXPECT_EQ(fleet_.rollout().phase(), RolloutPhase::kPrepared);
  fleet_.Release(now_);
  EXPECT_THAT(Sent(2), ElementsAre(kCommit));
  Answer(1);
  Answer(2);
  EXPECT_EQ(has_[2].root(), before.root());
  EXPECT_EQ(has_[2].revision(), 2u);
  for (const v1::NodeProgress& node : fleet_.rollout().Progress()) {
    EXPECT_EQ(node.stage(), Progress::EFFECTIVE) << node.node_id();
  }
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(Status("n2").version().root(), next.version.root());
}

TEST_F(FleetPlacementTest, ADeltaBuildsOnThePartThatTheNodeHas) {
  Released(1, "a", "a");
  fleet_.StartRollout(Request(2, "b", "a"), now_);
  ASSERT_THAT(Sent(2), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_EQ(sent_[2].front().offer().base_root(), has_[2].root());
}

TEST_F(FleetPlacementTest, ANodeComesBackWithItsPartAndIsSentNothing) {
  const RolloutRequest request = Released(4, "a", "a");
  fleet_.OnDisconnect(2, "gone", now_);
  Connect(2, has_[2]);
  EXPECT_THAT(Sent(2), ElementsAre(v1::ControllerMessage::kWelcome));
  EXPECT_EQ(Status("n2").version().root(), request.version.root());
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
}

TEST_F(FleetPlacementTest, ANodeWithOtherLabelsGetsItsOtherPart) {
  const RolloutRequest request = Released(1, "a", "a");
  fleet_.OnDisconnect(1, "gone", now_);
  v1::Hello hello = HelloOf("n1", "another", has_[1]);  // It was restarted without the label.
  EXPECT_TRUE(fleet_.OnHello(1, hello, "peer", now_, now_).status.ok());
  Answer(1);
  EXPECT_EQ(has_[1].root(), has_[2].root());
  EXPECT_EQ(Status("n1").version().root(), request.version.root());
}

TEST_F(FleetPlacementTest, ANodeThatRefusesItsPartRefusesTheVersion) {
  Released(1, "a", "a");
  const RolloutRequest next = Request(2, "b", "b");
  fleet_.StartRollout(next, now_);
  v1::ProxyMessage rejected;
  rejected.mutable_rejected()->set_root(sent_[2].back().prepare().root());
  rejected.mutable_rejected()->add_errors()->set_message("no");
  Say(2, rejected);
  Answer(1);
  EXPECT_EQ(fleet_.rollout().phase(), RolloutPhase::kRefused);
  EXPECT_NE(fleet_.nodes().at("n2").FindRejection(next.version.root()), nullptr);
}

TEST_F(FleetPlacementTest, WavesReachNodesOfEveryPart) {
  Released(1, "a", "a");
  const RolloutRequest next = Request(2, "b", "b");
  fleet_.StartRollout(next, now_);
  Answer(1);
  Answer(2);
  fleet_.ReleaseTo({"n2"}, now_);
  Answer(1);
  Answer(2);
  EXPECT_EQ(Status("n2").version().root(), next.version.root());
  EXPECT_EQ(Status("n1").version().revision(), 1u);
  fleet_.WithdrawCandidate(now_);
  Answer(2);
  EXPECT_EQ(Status("n2").version().revision(), 1u);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
}

TEST_F(FleetPlacementTest, ReportsNameTheVersionAsTheControllerKnowsIt) {
  const RolloutRequest request = Released(1, "a", "a");
  v1::ProxyMessage report;
  *report.mutable_report()->mutable_current() = has_[2];
  Say(2, report);
  EXPECT_EQ(fleet_.nodes().at("n2").report.current().root(), request.version.root());
  EXPECT_THAT(Sent(2), IsEmpty());
}

}  // namespace
}  // namespace sluice::publish
