// What sets nodes apart: operators' word on them, what they can do, what they refuse when they
// come.
#include <gmock/gmock.h>

#include "controlplane/publish/fleet.h"
#include "controlplane/publish/testing_fleet.h"
#include "controlplane/publish/testing_resources.h"

namespace sluice::publish {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HelloOf;
using ::testing::IsEmpty;
using testing::kTimeoutMs;
using testing::RequestOf;
using testing::ResourcesOf;
using testing::VersionOf;

class FleetNodesTest : public testing::FleetTest {};

TEST_F(FleetNodesTest, ACordonedNodeKeepsWhatItHasAndTakesNoPart) {
  Release(1, "a");
  ConnectSynced(1, "kept");
  ConnectSynced(2, "other");
  ASSERT_TRUE(fleet_.SetCordoned("kept", true, now_));
  EXPECT_FALSE(fleet_.SetCordoned("unknown", true, now_));
  EXPECT_EQ(Status("kept").state(), v1::NodeStatus::SYNCED);
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  EXPECT_FALSE(fleet_.rollout().Has("kept"));
  Taken(2);
  Prepared(2, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kPrepared);
  fleet_.Release(now_);
  Effective(2, next.version);
  EXPECT_TRUE(fleet_.rollout().settled()) << "nobody waits for it";
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(Status("kept").state(), v1::NodeStatus::CORDONED);
  EXPECT_TRUE(Status("kept").cordoned());
  EXPECT_THAT(Status("kept").reason(), HasSubstr("keeps version 1"));

  PassTime(10 * kTimeoutMs);
  fleet_.OnDisconnect(1, "", now_);
  ASSERT_TRUE(Connect(3, "kept", RequestOf(1, "a").version, "another boot").status.ok());
  EXPECT_THAT(Taken(3), ElementsAre(kWelcome)) << "also when it comes back";

  ASSERT_TRUE(fleet_.SetCordoned("kept", false, now_));
  EXPECT_THAT(Taken(3), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_EQ(Status("kept").state(), v1::NodeStatus::UPDATING);
}

TEST_F(FleetNodesTest, ANodeThatIsCordonedLeavesARolloutThatIsNotReleased) {
  Release(1, "a");
  ConnectSynced(1, "slow");
  ConnectSynced(2, "quick");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(2, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kPreparing);
  Taken(1);
  fleet_.SetCordoned("slow", true, now_);
  EXPECT_THAT(Taken(1), ElementsAre(kDiscard));
  EXPECT_EQ(phase(), RolloutPhase::kPrepared) << "the others go on";
  Prepared(1, next.version.root());
  EXPECT_THAT(Taken(1), IsEmpty()) << "its answer comes too late";
  fleet_.Release(now_);
  EXPECT_THAT(Taken(1), IsEmpty());
}

TEST_F(FleetNodesTest, WhatWasCommittedToANodeBeforeItWasCordonedStays) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.Release(now_);
  Taken(1);
  fleet_.SetCordoned("n", true, now_);
  EXPECT_THAT(Taken(1), IsEmpty());
  Effective(1, next.version);
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(StageOf("n"), Progress::EFFECTIVE);
}

TEST_F(FleetNodesTest, ACordonedNodeGetsNothingOfAWaveAndKeepsWhatAnEarlierOneBrought) {
  Release(1, "a");
  ConnectSynced(1, "n1");
  ConnectSynced(2, "n2");
  fleet_.SetCordoned("n2", true, now_);
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.ReleaseTo({"n1", "n2"}, now_);
  Effective(1, next.version);
  EXPECT_THAT(Taken(2), IsEmpty());
  EXPECT_FALSE(ViewOf("n1", next.version.root()).cordoned);
  EXPECT_TRUE(ViewOf("n2", next.version.root()).cordoned);
  fleet_.SetCordoned("n2", false, now_);
  EXPECT_THAT(Taken(2), ElementsAre(kOffer, kChunk, kPrepare)) << "its wave is out";
  // What is taken back is left to whoever is cordoned.
  fleet_.SetCordoned("n1", true, now_);
  Taken(1);
  fleet_.WithdrawCandidate(now_);
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(Status("n1").state(), v1::NodeStatus::CORDONED);
}

TEST_F(FleetNodesTest, ACordonedNodeIsStillRenumbered) {
  Release(5, "a");
  v1::Version older = fleet_.released();
  older.set_revision(3);
  fleet_.Remember("n", HelloOf("n", "boot"), now_);
  fleet_.SetCordoned("n", true, now_);
  Connect(1, "n", older);
  EXPECT_THAT(Taken(1), ElementsAre(kWelcome, kCommit));
}

TEST_F(FleetNodesTest, LabelsOfOperatorsWinAndCanBeTakenBack) {
  v1::Hello hello = HelloOf("n", "boot");
  (*hello.mutable_labels())["zone"] = "a";
  (*hello.mutable_labels())["tier"] = "edge";
  ASSERT_TRUE(fleet_.OnHello(1, hello, "peer", now_, now_).status.ok());
  ASSERT_TRUE(fleet_.SetLabels("n", {{"zone", "b"}, {"canary", "yes"}}, now_));
  const auto label = [&](const char* key) {
    const auto& labels = fleet_.nodes().at("n").hello.labels();
    return labels.contains(key) ? labels.at(key) : "";
  };
  EXPECT_EQ(label("zone"), "b");
  EXPECT_EQ(label("tier"), "edge");
  EXPECT_EQ(label("canary"), "yes");
  EXPECT_EQ(Status("n").labels_set_size(), 2);
  fleet_.OnDisconnect(1, "", now_);
  ASSERT_TRUE(fleet_.OnHello(2, hello, "peer", now_, now_).status.ok());
  EXPECT_EQ(label("zone"), "b") << "whatever the node says when it comes back";
  ASSERT_TRUE(fleet_.SetLabels("n", {}, now_));
  EXPECT_EQ(label("zone"), "a");
  EXPECT_EQ(label("canary"), "");
}

// --- What nodes can do, and what they refuse.

TEST_F(FleetNodesTest, ANodeThatLacksAFeatureRefusesWithoutBeingAsked) {
  Release(1, "a");
  v1::Hello hello = HelloOf("old", "boot", fleet_.released());
  hello.add_features("hedging");
  hello.set_build_version("0.0.9");
  ASSERT_TRUE(fleet_.OnHello(1, hello, "peer", now_, now_).status.ok());
  ConnectSynced(2, "declares-nothing");
  Taken(1);
  RolloutRequest next;
  next.resources = testing::WithSlowStart(*ResourcesOf("b"));
  next.version = VersionOf(2, *next.resources);
  StartRollout(next);
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(StageOf("old"), Progress::REJECTED);
  EXPECT_EQ(StageOf("declares-nothing"), Progress::OFFERED) << "of before features were declared";
  const v1::NodeProgress refusal = fleet_.rollout().Progress().back();
  EXPECT_EQ(refusal.errors(0).resource().name(), "slow");
  EXPECT_THAT(refusal.errors(0).message(),
              AllOf(HasSubstr("old"), HasSubstr("0.0.9"), HasSubstr("slow_start")));
  Prepared(2, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kRefused) << "the fleet refuses what its oldest cannot do";

  // Catching up alone is no different, until the node has been upgraded.
  fleet_.SetReleased(next.version, next.resources);
  fleet_.OnDisconnect(1, "", now_);
  ASSERT_TRUE(fleet_.OnHello(3, hello, "peer", now_, now_).status.ok());
  EXPECT_THAT(Taken(3), ElementsAre(kWelcome));
  EXPECT_EQ(Status("old").state(), v1::NodeStatus::REJECTED);
  EXPECT_THAT(Status("old").reason(), HasSubstr("slow_start"));
  fleet_.OnDisconnect(3, "", now_);
  hello.add_features("slow_start");
  hello.set_boot_id("upgraded");
  ASSERT_TRUE(fleet_.OnHello(4, hello, "peer", now_, now_).status.ok());
  EXPECT_THAT(Taken(4), ElementsAre(kWelcome, kOffer, kChunk, kPrepare));
}

TEST_F(FleetNodesTest, WhoLacksAFeatureRefusesItsWaveWithoutBeingAsked) {
  Release(1, "a");
  ConnectSynced(1, "able");
  RolloutRequest next;
  next.resources = testing::WithSlowStart(*ResourcesOf("b"));
  next.version = VersionOf(2, *next.resources);
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.ReleaseTo({"able"}, now_);
  v1::Hello hello = HelloOf("old", "boot", fleet_.released());
  hello.add_features("hedging");
  ASSERT_TRUE(fleet_.OnHello(2, hello, "peer", now_, now_).status.ok());
  EXPECT_FALSE(ViewOf("old", next.version.root()).refused);
  Taken(2);
  fleet_.Widen({"able", "old"}, now_);
  EXPECT_THAT(Taken(2), IsEmpty());
  const NodeView view = ViewOf("old", next.version.root());
  EXPECT_TRUE(view.refused);
  EXPECT_THAT(view.refusal, HasSubstr("slow_start"));
}

TEST_F(FleetNodesTest, AWaveHearsThatItsVersionKilledANode) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.ReleaseTo({"n"}, now_);
  Effective(1, next.version);
  fleet_.OnDisconnect(1, "", now_);
  v1::Hello hello = HelloOf("n", "third process", RequestOf(1, "a").version);
  v1::Rejected& older = *hello.add_refuses();
  older.set_root(std::string(32, 'x'));
  older.add_errors()->set_message("of the past");
  v1::Rejected& refused = *hello.add_refuses();
  refused.set_root(next.version.root());
  refused.add_errors()->set_message("it died twice");
  ASSERT_TRUE(fleet_.OnHello(2, hello, "peer", now_, now_).status.ok());
  EXPECT_THAT(Taken(2), ElementsAre(kWelcome));
  const NodeView view = ViewOf("n", next.version.root());
  EXPECT_TRUE(view.refused);
  EXPECT_EQ(view.refusal, "it died twice");
}

TEST_F(FleetNodesTest, ADryRunHearsOfWhatIsLackingAndLeavesNoTrace) {
  Release(1, "a");
  v1::Hello hello = HelloOf("n", "boot", fleet_.released());
  hello.set_snapshot_bytes_max(5);
  ASSERT_TRUE(fleet_.OnHello(1, hello, "peer", now_, now_).status.ok());
  Taken(1);
  RolloutRequest next = RequestOf(2, "b");
  next.dry_run = true;
  StartRollout(next);
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
  EXPECT_THAT(fleet_.rollout().Progress()[0].errors(0).message(), HasSubstr("takes 5 at most"));
  EXPECT_EQ(fleet_.nodes().at("n").FindRejection(next.version.root()), nullptr);
}

TEST_F(FleetNodesTest, WhatANodeRefusesWhenItComesCountsAsRejected) {
  Release(2, "deadly");
  v1::Hello hello = HelloOf("n", "third process", RequestOf(1, "a").version);
  v1::Rejected& refused = *hello.add_refuses();
  refused.set_root(fleet_.released().root());
  refused.add_errors()->set_message("it died twice");
  ASSERT_TRUE(fleet_.OnHello(1, hello, "peer", now_, now_).status.ok());
  EXPECT_THAT(Taken(1), ElementsAre(kWelcome));
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::REJECTED);
  EXPECT_EQ(Status("n").reason(), "it died twice");
  const RolloutRequest mended = RequestOf(3, "mended");
  StartRollout(mended);
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
}

TEST_F(FleetNodesTest, ARolloutHearsThatItsVersionKilledANode) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.Release(now_);
  fleet_.OnDisconnect(1, "", now_);
  v1::Hello hello = HelloOf("n", "third process", RequestOf(1, "a").version);
  v1::Rejected& refused = *hello.add_refuses();
  refused.set_root(next.version.root());
  refused.add_errors()->set_message("it died twice");
  ASSERT_TRUE(fleet_.OnHello(2, hello, "peer", now_, now_).status.ok());
  EXPECT_EQ(StageOf("n"), Progress::REJECTED);
}

TEST_F(FleetNodesTest, WhatANodeRefusesOfThePastIsNoNewsOfThePresent) {
  Release(3, "present");
  v1::Hello hello = HelloOf("n", "boot", fleet_.released());
  hello.add_refuses()->set_root(std::string(32, 'x'));
  ASSERT_TRUE(fleet_.OnHello(1, hello, "peer", now_, now_).status.ok());
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(Status("n").errors_size(), 0);
}

}  // namespace
}  // namespace sluice::publish
