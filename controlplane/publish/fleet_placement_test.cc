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
    hello.add_features("preflight");
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
    const ProxyNode& node = fleet_.nodes().at(id);
    return StatusOf(node, fleet_.MeantFor(node), now_, 200);
  }

  void Refuse(uint64_t stream) {
    v1::ProxyMessage rejected;
    rejected.mutable_rejected()->set_root(sent_[stream].back().prepare().root());
    rejected.mutable_rejected()->add_errors()->set_message("address in use");
    sent_[stream].clear();
    Say(stream, rejected);
  }

  const std::map<std::string, std::string> edge_ = {{"tier", "edge"}};
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
  Refuse(2);
  Answer(1);
  EXPECT_EQ(fleet_.rollout().phase(), RolloutPhase::kRefused);
  EXPECT_TRUE(ViewOf("n2", next.version.root()).refused);
  EXPECT_FALSE(ViewOf("n1", next.version.root()).refused);
  EXPECT_EQ(fleet_.nodes().at("n2").errors_root, next.version.root()) << "of which lines are known";
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

TEST_F(FleetPlacementTest, ReportsNameTheTrafficOfTheVersionByItsNumber) {
  Released(1, "a", "a");
  v1::ProxyMessage report;
  *report.mutable_report()->mutable_current() = has_[2];
  v1::VersionTraffic& traffic = *report.mutable_report()->add_traffic_by_version();
  *traffic.mutable_version() = has_[2];
  traffic.set_requests(10);
  Say(2, report);
  EXPECT_EQ(Status("n2").current_version_traffic().requests(), 10u);
}

// --- Labels that change.

TEST_F(FleetPlacementTest, WhoHasNotWhatItsLabelsPlaceOnItIsNotSynced) {
  Released(1, "a", "a");
  fleet_.SetLabels("n2", edge_, now_);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::UPDATING);
  Refuse(2);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::REJECTED);
  EXPECT_EQ(Status("n2").reason(), "address in use");
  fleet_.SetCordoned("n2", true, now_);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::CORDONED);
}

TEST_F(FleetPlacementTest, ARefusedPartIsNoneOfAnother) {
  const RolloutRequest request = Released(1, "a", "a");
  const std::string without = has_[2].root();
  fleet_.SetLabels("n2", edge_, now_);
  Refuse(2);
  fleet_.SetLabels("n2", {}, now_);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
  EXPECT_THAT(Sent(2), IsEmpty());
  // Said again, it is asked again.
  fleet_.SetLabels("n2", edge_, now_);
  Answer(2);
  EXPECT_EQ(has_[2].root(), request.version.root());
  // The smaller one refused: what is not placed on it any more is not forgotten.
  fleet_.SetLabels("n2", {}, now_);
  Refuse(2);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::REJECTED);
  fleet_.SetLabels("n2", {{"tier", "core"}}, now_);
  Answer(2);
  EXPECT_EQ(has_[2].root(), without);
}

TEST_F(FleetPlacementTest, AfterARefusedPartItGoesBackToWhatItServed) {
  Released(5, "a", "a");
  fleet_.SetLabels("n2", edge_, now_);
  Refuse(2);
  fleet_.SetLabels("n2", {}, now_);
  fleet_.StartRollout(Request(6, "b", "b"), now_);
  Answer(1);
  Answer(2);
  fleet_.ReleaseTo({"n2"}, now_);
  Answer(2);
  ASSERT_EQ(has_[2].revision(), 6u);
  fleet_.WithdrawCandidate(now_);
  Answer(2);
  EXPECT_EQ(has_[2].revision(), 5u);
}

TEST_F(FleetPlacementTest, ARefusedLabelIsNoRefusalOfTheVersion) {
  Released(5, "a", "a");
  const RolloutRequest next = Request(6, "b", "b");
  fleet_.StartRollout(next, now_);
  Answer(1);
  Answer(2);
  fleet_.ReleaseTo({"n2"}, now_);
  Answer(2);
  fleet_.SetLabels("n2", edge_, now_);
  Refuse(2);
  EXPECT_FALSE(ViewOf("n2", next.version.root()).refused);
  EXPECT_EQ(ViewOf("n2", next.version.root()).root, next.version.root());
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::REJECTED);
}

TEST_F(FleetPlacementTest, WhatWasReadyByOldLabelsIsNotCommitted) {
  Released(1, "a", "a");
  fleet_.StartRollout(Request(2, "b", "b"), now_);
  Answer(1);
  Answer(2);
  ASSERT_EQ(fleet_.rollout().phase(), RolloutPhase::kPrepared);
  const std::string stable = has_[1].root();
  // At once it gets its other part of what is released, before the rollout is decided.
  fleet_.SetLabels("n2", edge_, now_);
  EXPECT_THAT(Sent(2), ElementsAre(kDiscard, kOffer, kChunk, kPrepare));
  Answer(2);
  EXPECT_EQ(has_[2].root(), stable);
  fleet_.Release(now_);
  Answer(1);
  Answer(2);
  EXPECT_EQ(has_[2].root(), has_[1].root());
  EXPECT_EQ(has_[2].revision(), 2u);
  EXPECT_TRUE(fleet_.rollout().settled());
}

TEST_F(FleetPlacementTest, AnAnswerAboutOldLabelsIsVoid) {
  Released(1, "a", "a");
  const RolloutRequest next = Request(2, "b", "b");
  fleet_.StartRollout(next, now_);
  fleet_.SetLabels("n2", edge_, now_);
  Refuse(2);
  EXPECT_THAT(Sent(2), ElementsAre(kOffer, kChunk, kPrepare)) << "of what it is to have now";
  Answer(1);
  Answer(2);
  EXPECT_EQ(fleet_.rollout().phase(), RolloutPhase::kPrepared);
  fleet_.Release(now_);
  Answer(2);
  EXPECT_EQ(has_[2].root(), next.version.root());
}

TEST_F(FleetPlacementTest, ALabelThatIsTakenBackBeforeTheAnswerPlacesNothing) {
  Released(1, "a", "a");
  const std::string without = has_[2].root();
  fleet_.SetLabels("n2", edge_, now_);
  fleet_.SetLabels("n2", {}, now_);
  Answer(2);
  EXPECT_EQ(has_[2].root(), without);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
}

TEST_F(FleetPlacementTest, WhatANodeHasIsKnownOnceItsLabelsFit) {
  const RolloutRequest request = Request(5, "a", "a");
  fleet_.SetReleased(request.version, request.resources);
  Connect(3);
  Answer(3);
  const v1::Version part = has_[3];
  // In a later life of the controller n2 comes with it, and with a label that means another part.
  v1::Hello hello = HelloOf("n2", "boot", part);
  (*hello.mutable_labels())["tier"] = "edge";
  fleet_.Remember("n2", hello, now_);
  fleet_.SetCordoned("n2", true, now_);
  EXPECT_TRUE(fleet_.OnHello(2, hello, "peer", now_, now_).status.ok());
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::CORDONED);
  fleet_.SetLabels("n2", {{"tier", "none"}}, now_);
  fleet_.SetCordoned("n2", false, now_);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(Status("n2").version().root(), request.version.root());
}

TEST_F(FleetPlacementTest, WhatKilledANodeIsKnownByItsPart) {
  Released(1, "a", "a");
  const v1::Version before = has_[2];
  const RolloutRequest next = Request(2, "b", "b");
  fleet_.StartRollout(next, now_);
  Answer(1);
  Answer(2);
  fleet_.Release(now_);
  Answer(2);
  fleet_.OnDisconnect(2, "it died", now_);
  v1::Hello hello = HelloOf("n2", "another", before);
  hello.add_refuses()->set_root(has_[2].root());
  hello.mutable_refuses(0)->add_errors()->set_message("it died twice");
  sent_[2].clear();
  EXPECT_TRUE(fleet_.OnHello(2, hello, "peer", now_, now_).status.ok());
  EXPECT_THAT(Sent(2), ElementsAre(kWelcome));
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::REJECTED);
  EXPECT_TRUE(ViewOf("n2", next.version.root()).refused);
}

// --- Whom a change concerns.

TEST_F(FleetPlacementTest, AChangeConcernsThoseWhosePartChanges) {
  Released(1, "a", "a");
  const RolloutRequest next = Request(2, "a", "b");
  fleet_.StartRollout(next, now_);
  Answer(1);
  EXPECT_TRUE(ViewOf("n1", next.version.root()).concerned);
  EXPECT_FALSE(ViewOf("n2", next.version.root()).concerned);
  fleet_.ReleaseTo({"n1"}, now_);
  Answer(1);
  EXPECT_TRUE(ViewOf("n1", next.version.root()).concerned) << "also when it has it";
  EXPECT_FALSE(ViewOf("n2", next.version.root()).concerned);
}

TEST_F(FleetPlacementTest, WhomAChangeDoesNotConcernHasNothingToRouteBy) {
  Released(1, "a", "a");
  fleet_.StartRollout(Request(2, "a", "b"), now_);
  Answer(1);
  ASSERT_EQ(fleet_.rollout().phase(), RolloutPhase::kPrepared);
  EXPECT_EQ(fleet_.BeginPreflight({"n1", "n2"}, 100), 1u);
  EXPECT_THAT(Sent(2), IsEmpty());
}

TEST_F(FleetPlacementTest, NodesWithTheSamePartShareADeltaHoweverManyPartsThereAre) {
  constexpr int kParts = 40;
  std::vector<testing::PlacedService> services;
  for (int i = 0; i < kParts; ++i) {
    services.push_back({"s" + std::to_string(i), {"rack=r" + std::to_string(i)}});
  }
  for (uint64_t i = 0; i < uint64_t{2} * kParts; ++i) {
    v1::Hello hello = HelloOf("n" + std::to_string(i), "boot");
    (*hello.mutable_labels())["rack"] = "r" + std::to_string(i % kParts);
    EXPECT_TRUE(fleet_.OnHello(i + 1, hello, "peer", now_, now_).status.ok());
  }
  RolloutRequest request;
  request.resources = PlacedSnapshot(services);
  request.version = VersionOf(1, *request.resources);
  fleet_.StartRollout(request, now_);
  EXPECT_EQ(fleet_.deltas_encoded(), static_cast<uint64_t>(kParts));
}

}  // namespace
}  // namespace sluice::publish
