#include "controlplane/publish/fleet.h"

#include <gmock/gmock.h>

#include "common/base/version.h"
#include "common/snapshot/delta.h"
#include "controlplane/publish/testing_fleet.h"
#include "controlplane/publish/testing_resources.h"

namespace sluice::publish {
namespace {

using ::testing::ElementsAre;
using testing::FleetTest;
using ::testing::HasSubstr;
using testing::HelloOf;
using ::testing::IsEmpty;
using testing::kTimeoutMs;
using testing::RequestOf;
using testing::ResourcesOf;
using testing::VersionOf;

TEST_F(FleetTest, ANodeWithTheRootIsSentNothingButWelcome) {
  Release(1, "a");
  ASSERT_TRUE(Connect(1, "n", fleet_.released()).status.ok());
  EXPECT_THAT(Taken(1), ElementsAre(kWelcome));
  EXPECT_EQ(Last(kWelcome).welcome().controller_version(), std::string(base::Version()));
  EXPECT_EQ(Last(kWelcome).welcome().report_interval_ms(), 200u);
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(Status("n").snapshot_bytes_sent(), 0u);
}

TEST_F(FleetTest, TheSameContentUnderAnotherNumberIsOnlyRenumbered) {
  Release(5, "a");
  v1::Version older = fleet_.released();
  older.set_revision(3);
  Connect(1, "n", older);
  EXPECT_THAT(Taken(1), ElementsAre(kWelcome, kCommit));
  EXPECT_EQ(Last(kCommit).commit().version().revision(), 5u);
}

TEST_F(FleetTest, ANewcomerIsBroughtForwardAlone) {
  Release(1, "a");
  Connect(1, "n");
  EXPECT_THAT(Taken(1), ElementsAre(kWelcome, kOffer, kChunk, kPrepare));
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::UPDATING);
  Prepared(1, fleet_.released().root());
  EXPECT_THAT(Taken(1), ElementsAre(kCommit));
  Effective(1, fleet_.released());
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::SYNCED);
}

TEST_F(FleetTest, ADeltaCarriesOnlyWhatDiffers) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_EQ(Last(kOffer).offer().base_root(), RequestOf(1, "a").version.root());
  snapshot::DeltaDecoder decoder(Last(kOffer).offer(), *ResourcesOf("a"), 1 << 20);
  ASSERT_TRUE(decoder.Add(Last(kChunk).chunk()).ok());
  const auto rebuilt = std::move(decoder).Finish();
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.status();
  EXPECT_EQ(snapshot::RootOf(*rebuilt), next.version.root());
  const snapshot::EncodedDelta whole =
      snapshot::EncodeDelta(nullptr, *next.resources, next.version);
  EXPECT_LT(Last(kOffer).offer().bytes(), whole.offer.bytes());
}

TEST_F(FleetTest, NobodyCommitsBeforeEverybodyHasPrepared) {
  Release(1, "a");
  for (uint64_t stream : {1, 2, 3}) ConnectSynced(stream, "n" + std::to_string(stream));
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  for (uint64_t stream : {1, 2, 3}) Taken(stream);
  Prepared(1, next.version.root());
  Prepared(2, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kPreparing);
  for (uint64_t stream : {1, 2, 3}) EXPECT_THAT(Taken(stream), IsEmpty());
  Prepared(3, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kPrepared);
  for (uint64_t stream : {1, 2, 3}) EXPECT_THAT(Taken(stream), IsEmpty()) << "not yet on disk";
  fleet_.Release(now_);
  for (uint64_t stream : {1, 2, 3}) EXPECT_THAT(Taken(stream), ElementsAre(kCommit));
  EXPECT_FALSE(fleet_.rollout().settled());
  for (uint64_t stream : {1, 2, 3}) Effective(stream, next.version);
  EXPECT_TRUE(fleet_.rollout().settled());
  EXPECT_EQ(StageOf("n1"), Progress::EFFECTIVE);
  EXPECT_EQ(fleet_.deltas_encoded(), 1u) << "encoded once for all";
}

TEST_F(FleetTest, OneRejectionLeavesAllOnTheOldVersion) {
  Release(1, "a");
  for (uint64_t stream : {1, 2}) ConnectSynced(stream, "n" + std::to_string(stream));
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Taken(1);
  Prepared(1, next.version.root());
  Rejected(2, next.version.root(), "port taken");
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
  EXPECT_THAT(Taken(1), ElementsAre(kDiscard));
  EXPECT_EQ(fleet_.released().revision(), 1u);
  EXPECT_EQ(StageOf("n2"), Progress::REJECTED);
  EXPECT_EQ(Status("n2").errors(0).message(), "port taken");
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED) << "it serves what is released";
}

TEST_F(FleetTest, AfterARejectionTheSilentAreNotWaitedForLong) {
  Release(1, "a");
  for (uint64_t stream : {1, 2}) ConnectSynced(stream, "n" + std::to_string(stream));
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  PassTime(10);
  Rejected(1, next.version.root(), "no");
  EXPECT_EQ(phase(), RolloutPhase::kPreparing);
  PassTime(Rollout::kGraceAfterRefusalMs);
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
}

TEST_F(FleetTest, PartialGoesOnWithThoseThatPrepared) {
  Release(1, "a");
  for (uint64_t stream : {1, 2}) ConnectSynced(stream, "n" + std::to_string(stream));
  RolloutRequest next = RequestOf(2, "b");
  next.partial = true;
  StartRollout(next);
  Prepared(1, next.version.root());
  Rejected(2, next.version.root(), "no");
  ASSERT_EQ(phase(), RolloutPhase::kPrepared);
  Taken(1);
  Taken(2);
  fleet_.Release(now_);
  EXPECT_THAT(Taken(1), ElementsAre(kCommit));
  EXPECT_THAT(Taken(2), IsEmpty());
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::REJECTED);
  EXPECT_EQ(Status("n2").reason(), "no");
}

TEST_F(FleetTest, PartialWithNobodyPreparedIsRefused) {
  Release(1, "a");
  ConnectSynced(1, "n1");
  RolloutRequest next = RequestOf(2, "b");
  next.partial = true;
  StartRollout(next);
  Rejected(1, next.version.root(), "no");
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
}

TEST_F(FleetTest, ARejectedRootIsNotOfferedAgainToTheSameProcess) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Rejected(1, next.version.root(), "no");
  Taken(1);
  RolloutRequest again = next;
  again.version.set_revision(3);
  StartRollout(again);
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_THAT(fleet_.rollout().Progress()[0].errors(0).message(), HasSubstr("--dry-run=nodes"));

  // Nor after others, nor on another stream; but to a new process.
  const RolloutRequest other = RequestOf(4, "c");
  StartRollout(other);
  Prepared(1, other.version.root());
  fleet_.Release(now_);
  Effective(1, other.version);
  Connect(2, "n", other.version);
  Taken(2);
  again.version.set_revision(5);
  StartRollout(again);
  EXPECT_THAT(Taken(2), IsEmpty());
  Connect(3, "n", other.version, "another boot");
  Taken(3);
  again.version.set_revision(6);
  StartRollout(again);
  EXPECT_THAT(Taken(3), ElementsAre(kOffer, kChunk, kPrepare));
}

TEST_F(FleetTest, ADryRunAsksAgainAndHeals) {
  Release(1, "a");
  ConnectSynced(1, "n");
  RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Rejected(1, next.version.root(), "no");
  next.dry_run = true;
  Taken(1);
  StartRollout(next);
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_TRUE(Last(kPrepare).prepare().dry_run());
  Prepared(1, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kRehearsed);
  EXPECT_THAT(Taken(1), ElementsAre(kDiscard));
  EXPECT_EQ(fleet_.released().revision(), 1u);
  next.dry_run = false;
  StartRollout(next);
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
}

TEST_F(FleetTest, ADryRunThatIsRejectedIsNoReasonNotToOffer) {
  Release(1, "a");
  ConnectSynced(1, "n");
  RolloutRequest next = RequestOf(2, "b");
  next.dry_run = true;
  StartRollout(next);
  Rejected(1, next.version.root(), "no");
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
  next.dry_run = false;
  Taken(1);
  StartRollout(next);
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
}

TEST_F(FleetTest, ASilentNodeIsLeftBehindAndCatchesUp) {
  Release(1, "a");
  for (uint64_t stream : {1, 2}) ConnectSynced(stream, "n" + std::to_string(stream));
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  PassTime(kTimeoutMs - 1);
  EXPECT_EQ(phase(), RolloutPhase::kPreparing);
  PassTime(1);
  ASSERT_EQ(phase(), RolloutPhase::kPrepared);
  EXPECT_EQ(StageOf("n2"), Progress::LAGGING);
  fleet_.Release(now_);
  Effective(1, next.version);
  EXPECT_TRUE(fleet_.rollout().settled()) << "nobody waits for it";
  v1::ProxyMessage report;
  report.mutable_report();
  fleet_.OnMessage(2, report, now_, now_);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::LAGGING);
  Taken(2);
  Prepared(2, next.version.root());  // Late.
  EXPECT_THAT(Taken(2), ElementsAre(kCommit));
  Effective(2, next.version);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(StageOf("n2"), Progress::EFFECTIVE);
}

TEST_F(FleetTest, ANodeThatIsLateForARefusedVersionLetsItGo) {
  Release(1, "a");
  for (uint64_t stream : {1, 2}) ConnectSynced(stream, "n" + std::to_string(stream));
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Rejected(1, next.version.root(), "no");
  PassTime(kTimeoutMs);
  ASSERT_EQ(phase(), RolloutPhase::kRefused);
  Taken(2);
  Prepared(2, next.version.root());
  EXPECT_THAT(Taken(2), ElementsAre(kDiscard));
}

TEST_F(FleetTest, OneOfferIsInFlightAndTheNewestFollows) {
  Release(1, "a");
  ConnectSynced(1, "n1");
  const RolloutRequest second = RequestOf(2, "b");
  StartRollout(second);
  Taken(1);
  PassTime(kTimeoutMs);
  fleet_.Release(now_);  // Without it.
  const RolloutRequest third = RequestOf(3, "c");
  StartRollout(third);
  EXPECT_THAT(Taken(1), IsEmpty()) << "it has an answer to give first";
  EXPECT_EQ(StageOf("n1"), Progress::WAITING);
  Prepared(1, second.version.root());
  EXPECT_THAT(Taken(1), ElementsAre(kDiscard, kOffer, kChunk, kPrepare));
  EXPECT_EQ(Last(kOffer).offer().version().revision(), 3u);
  Prepared(1, third.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kPrepared);
}

TEST_F(FleetTest, ANodeThatGoesIsNotWaitedFor) {
  Release(1, "a");
  for (uint64_t stream : {1, 2}) ConnectSynced(stream, "n" + std::to_string(stream));
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.OnDisconnect(2, "gone", now_);
  EXPECT_EQ(phase(), RolloutPhase::kPrepared);
  EXPECT_EQ(Status("n2").state(), v1::NodeStatus::UNREACHABLE);
  EXPECT_EQ(Status("n2").reason(), "gone");
  // It comes back before the release: to what is released so far, then to the new version.
  Connect(3, "n2", fleet_.released());
  EXPECT_THAT(Taken(3), ElementsAre(kWelcome));
  fleet_.Release(now_);
  EXPECT_THAT(Taken(3), ElementsAre(kOffer, kChunk, kPrepare));
}

TEST_F(FleetTest, AnAbandonedRolloutChangesNothing) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  Taken(1);
  fleet_.Abandon(now_);
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
  EXPECT_THAT(Taken(1), ElementsAre(kDiscard));
  EXPECT_EQ(fleet_.released().revision(), 1u);
}

TEST_F(FleetTest, WithoutNodesAVersionIsPreparedAtOnce) {
  StartRollout(RequestOf(1, "a"));
  EXPECT_EQ(phase(), RolloutPhase::kPrepared);
}

TEST_F(FleetTest, ResyncSendsEverythingOnceThenGivesUp) {
  Release(1, "a");
  ConnectSynced(1, "n");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Taken(1);
  Resync(1, next.version.root());
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_EQ(Last(kOffer).offer().base_root(), "");
  Resync(1, "some other root");
  EXPECT_THAT(Taken(1), IsEmpty());
  Resync(1, next.version.root());
  EXPECT_EQ(phase(), RolloutPhase::kRefused);
  EXPECT_THAT(Status("n").errors(0).message(), HasSubstr("could not be rebuilt"));
}

TEST_F(FleetTest, ResyncOfANewcomerIsNoLoop) {
  Release(1, "a");
  v1::Version unknown;
  unknown.set_root(std::string(32, 'x'));
  Connect(1, "n", unknown);
  Taken(1);
  Resync(1, fleet_.released().root());
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
  Resync(1, fleet_.released().root());
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::REJECTED);
}

TEST_F(FleetTest, ACommitThatIsLostIsBegunAgainButNotForEver) {
  Release(1, "a");
  Connect(1, "n");
  Taken(1);
  const std::string root = fleet_.released().root();
  for (int i = 0; i < 3; ++i) {
    Prepared(1, root);
    EXPECT_THAT(Taken(1), ElementsAre(kCommit)) << i;
    Resync(1, root);
    if (i < 2) {
      EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare)) << i;
    }
  }
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::REJECTED);
}

TEST_F(FleetTest, TheNewerProcessWinsAndTheOlderStaysOut) {
  Release(1, "a");
  Connect(1, "n", fleet_.released(), "old");
  const Fleet::Greeting newer = Connect(2, "n", fleet_.released(), "new");
  EXPECT_TRUE(newer.status.ok());
  EXPECT_EQ(newer.replaced, 1u);
  EXPECT_THAT(Status("n").reason(), HasSubstr("took over"));
  const Fleet::Greeting back = Connect(3, "n", fleet_.released(), "old");
  EXPECT_TRUE(absl::IsAlreadyExists(back.status)) << back.status;
  EXPECT_THAT(std::string(back.status.message()), HasSubstr("--node-id"));
  EXPECT_THAT(Status("n").reason(), HasSubstr("keeps connecting"));
  EXPECT_EQ(fleet_.nodes().at("n").stream, 2u);
  fleet_.OnDisconnect(3, "", now_);
  EXPECT_TRUE(fleet_.nodes().at("n").connected());
  fleet_.OnDisconnect(2, "", now_);
  EXPECT_TRUE(Connect(4, "n", fleet_.released(), "old").status.ok()) << "the newer one has gone";
}

TEST_F(FleetTest, TheSameProcessReconnectingIsNoNews) {
  Release(1, "a");
  Connect(1, "n", fleet_.released());
  EXPECT_EQ(Connect(2, "n", fleet_.released()).replaced, 1u);
  EXPECT_EQ(Status("n").reason(), "");
  fleet_.OnMessage(1, v1::ProxyMessage(), now_, now_);  // From the stream that was replaced.
  EXPECT_TRUE(fleet_.nodes().at("n").connected());
}

TEST_F(FleetTest, StrangersAreChecked) {
  const auto refused = [&](const v1::Hello& hello) {
    return !fleet_.OnHello(9, hello, "peer", now_, now_).status.ok();
  };
  EXPECT_TRUE(refused(HelloOf("", "b")));
  EXPECT_TRUE(refused(HelloOf(std::string(200, 'n'), "b")));
  EXPECT_TRUE(refused(HelloOf("two words", "b")));
  EXPECT_TRUE(refused(HelloOf("bell\a", "b")));
  EXPECT_TRUE(refused(HelloOf("n", std::string(500, 'b'))));
  v1::Hello hello = HelloOf("n", "b");
  hello.set_protocol_version(9);
  EXPECT_TRUE(refused(hello));
  hello = HelloOf("n", "b");
  for (int i = 0; i < 100; ++i) (*hello.mutable_labels())[std::to_string(i)] = "x";
  EXPECT_TRUE(refused(hello));
  EXPECT_TRUE(fleet_.nodes().empty());
  hello = HelloOf("n", "b");
  hello.set_protocol_version(2);
  EXPECT_FALSE(refused(hello)) << "the next release talks to us";
}

TEST_F(FleetTest, WordsOutOfPlaceAreIgnored) {
  Release(1, "a");
  ConnectSynced(1, "n");
  Prepared(1, "never offered");
  Rejected(1, "never offered", "no");
  Resync(1, "never offered");
  Prepared(77, "no such stream");
  EXPECT_THAT(Taken(1), IsEmpty());
  EXPECT_EQ(Status("n").state(), v1::NodeStatus::SYNCED);
  EXPECT_EQ(Status("n").errors_size(), 0);
}

TEST_F(FleetTest, AReportThatProvesAnotherRootBringsTheNodeForward) {
  Release(1, "a");
  ConnectSynced(1, "n");
  v1::ProxyMessage report;
  report.mutable_report()->mutable_current()->set_root(std::string(32, 'x'));
  fleet_.OnMessage(1, report, now_, now_);
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare));
  EXPECT_EQ(Last(kOffer).offer().base_root(), "") << "nobody knows that root";
}

TEST_F(FleetTest, OnlyANodeThatHasGoneCanBeForgotten) {
  ConnectSynced(1, "n");
  EXPECT_FALSE(fleet_.Forget("n"));
  EXPECT_FALSE(fleet_.Forget("unknown"));
  fleet_.OnDisconnect(1, "", now_);
  EXPECT_TRUE(fleet_.Forget("n"));
  EXPECT_TRUE(fleet_.nodes().empty());
}

TEST_F(FleetTest, HealthChangesShowAtOnce) {
  ConnectSynced(1, "n");
  v1::ProxyMessage change;
  v1::EndpointHealth& health = *change.mutable_health_change()->mutable_endpoint();
  health.set_cluster("c");
  health.set_address("10.0.0.1:80");
  health.set_healthy(false);
  fleet_.OnMessage(1, change, now_, now_);
  ASSERT_EQ(Status("n").report().endpoints_size(), 1);
  health.set_healthy(true);
  fleet_.OnMessage(1, change, now_, now_);
  ASSERT_EQ(Status("n").report().endpoints_size(), 1);
  EXPECT_TRUE(Status("n").report().endpoints(0).healthy());
}

}  // namespace
}  // namespace sluice::publish
