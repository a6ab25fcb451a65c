// Commits that are under way, that a node has lost, or lies about.
#include <gmock/gmock.h>

#include "controlplane/publish/testing_fleet.h"

namespace sluice::publish {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::RequestOf;
using testing::VersionOf;

class FleetCommitTest : public testing::FleetTest {
 protected:
  void ReportServing(uint64_t stream, const v1::Version& version) {
    v1::ProxyMessage message;
    *message.mutable_report()->mutable_current() = version;
    fleet_.OnMessage(stream, message, now_, now_);
  }
  // Version 2 has the content of version 1, which n1 serves: it was sent the number.
  RolloutRequest Renumbered() {
    Release(1, "a");
    ConnectSynced(1, "n1");
    const RolloutRequest same = RequestOf(2, "a");
    fleet_.SetReleased(same.version, same.resources);
    ReportServing(1, VersionOf(1, *same.resources));
    EXPECT_THAT(Taken(1), ElementsAre(kCommit)) << "only the number is another one";
    return same;
  }
};

TEST_F(FleetCommitTest, WhoLostWhatItClaimedIsSentItWhole) {
  const RolloutRequest same = Renumbered();
  Resync(1, same.version.root());
  EXPECT_THAT(Taken(1), ElementsAre(kOffer, kChunk, kPrepare)) << "not the number again";
  EXPECT_EQ(Last(kOffer).offer().base_root(), "");
  EXPECT_EQ(Status("n1").state(), v1::NodeStatus::UPDATING);
}

TEST_F(FleetCommitTest, ItsReportsTellWhichNumberItServes) {
  const RolloutRequest same = Renumbered();
  Effective(1, same.version);
  EXPECT_THAT(Taken(1), IsEmpty());
  ReportServing(1, VersionOf(1, *same.resources));  // It lied, or has gone back.
  EXPECT_THAT(Taken(1), ElementsAre(kCommit));
}

TEST_F(FleetCommitTest, ACommitUnderWayIsAwaitedBeforeItCountsAsReady) {
  Release(1, "a");
  ConnectSynced(1, "n1");
  const RolloutRequest next = RequestOf(2, "b");
  StartRollout(next);
  Prepared(1, next.version.root());
  fleet_.Release(now_);
  const RolloutRequest same = RequestOf(3, "b");
  StartRollout(same);
  EXPECT_EQ(phase(), RolloutPhase::kPreparing);
  Effective(1, next.version);
  EXPECT_EQ(phase(), RolloutPhase::kPrepared);
}

}  // namespace
}  // namespace sluice::publish
