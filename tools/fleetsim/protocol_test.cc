#include "tools/fleetsim/protocol.h"

#include <gtest/gtest.h>

#include "tools/fleetsim/testing_offers.h"

namespace sluice::fleetsim {
namespace {

using std::chrono::milliseconds;
using testing::OfferOf;
using testing::ResourcesOf;

class ProtocolTest : public ::testing::Test {
 protected:
  Protocol Make(Conduct conduct = Conduct::kGood) {
    return {{.index = 0, .node_id = "n", .boot_id = "b", .labels = {{"zone", "a"}}},
            conduct,
            options_,
            pool_,
            observer_};
  }
  // What it says, as if all of it had left.
  std::vector<Utterance> Tell(Protocol& node, const v1::ControllerMessage& message) {
    auto said = node.OnMessage(message, message.ByteSizeLong(), ++now_us_);
    for (const Utterance& one : said) node.OnLeaving(one.message, ++now_us_);
    return said;
  }
  std::vector<Utterance> Offer(Protocol& node, const snapshot::EncodedDelta& delta) {
    v1::ControllerMessage message;
    *message.mutable_offer() = delta.offer;
    EXPECT_TRUE(Tell(node, message).empty());
    for (const v1::Chunk& chunk : delta.chunks) {
      *message.mutable_chunk() = chunk;
      EXPECT_TRUE(Tell(node, message).empty());
    }
    message.mutable_prepare()->set_root(delta.offer.version().root());
    return Tell(node, message);
  }
  std::vector<Utterance> Commit(Protocol& node, const v1::Version& version) {
    v1::ControllerMessage message;
    *message.mutable_commit()->mutable_version() = version;
    return Tell(node, message);
  }
  NodeFigures Figures() const { return observer_.figures().nodes[0]; }

  SimOptions options_;
  SnapshotPool pool_;
  Observer observer_{{Conduct::kGood}, 0};
  int64_t now_us_ = 0;
};

TEST_F(ProtocolTest, PreparesThenCommits) {
  Protocol node = Make();
  const v1::Hello hello = node.Hello().hello();
  EXPECT_EQ(hello.node_id(), "n");
  EXPECT_EQ(hello.labels().at("zone"), "a");
  EXPECT_FALSE(hello.has_current());

  const snapshot::EncodedDelta offer = OfferOf(7, nullptr, ResourcesOf("one"));
  const auto prepared = Offer(node, offer);
  ASSERT_EQ(prepared.size(), 1u);
  EXPECT_EQ(prepared[0].message.prepared().root(), offer.offer.version().root());
  EXPECT_TRUE(node.snapshot()->root.empty()) << "nothing changes before the commit";

  const auto done = Commit(node, offer.offer.version());
  ASSERT_EQ(done.size(), 2u);
  EXPECT_TRUE(done[0].message.has_applied());
  EXPECT_EQ(done[1].message.effective().version().revision(), 7u);
  EXPECT_EQ(node.Hello().hello().current().root(), offer.offer.version().root());
  EXPECT_EQ(Figures().revision, 7u);
  EXPECT_EQ(Figures().stream_snapshot_bytes, 0u) << "of the second stream";
  EXPECT_GT(Figures().snapshot_bytes, offer.offer.bytes());
}

TEST_F(ProtocolTest, AsksForEverythingWhereTheDeltaDoesNotFit) {
  Protocol node = Make();
  node.Hello();
  const snapshot::Resources one = ResourcesOf("one"), two = ResourcesOf("two");
  const auto said = Offer(node, OfferOf(2, &one, two));
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].message.resync().expected_root(), snapshot::RootOf(two));
  EXPECT_TRUE(Offer(node, OfferOf(2, nullptr, two))[0].message.has_prepared());
  EXPECT_EQ(Figures().resyncs, 1u);

  v1::Version other;
  other.set_root("never prepared");
  EXPECT_TRUE(Commit(node, other)[0].message.has_resync());
}

TEST_F(ProtocolTest, ADamagedSnapshotIsRejected) {
  Protocol node = Make();
  node.Hello();
  snapshot::EncodedDelta offer = OfferOf(1, nullptr, ResourcesOf("one"));
  offer.chunks[0].mutable_data()->back() ^= 1;
  EXPECT_TRUE(Offer(node, offer)[0].message.has_rejected());
}

TEST_F(ProtocolTest, ANewNumberOfWhatItHasIsEffectiveAtOnce) {
  Protocol node = Make();
  node.Hello();
  v1::Version version = OfferOf(1, nullptr, ResourcesOf("one")).offer.version();
  Offer(node, OfferOf(1, nullptr, ResourcesOf("one")));
  Commit(node, version);
  version.set_revision(9);
  EXPECT_EQ(Commit(node, version).size(), 2u);
  EXPECT_EQ(observer_.figures().versions.at(9).effective_us.size(), 1u);
}

TEST_F(ProtocolTest, EachConductIsAsToldAndNoOther) {
  options_.slow_delay = milliseconds(123);
  const snapshot::EncodedDelta offer = OfferOf(1, nullptr, ResourcesOf("one"));
  Protocol slow = Make(Conduct::kSlow);
  slow.Hello();
  EXPECT_EQ(Offer(slow, offer)[0].delay, milliseconds(123));
  EXPECT_EQ(Commit(slow, offer.offer.version())[1].delay, milliseconds(123));

  Protocol rejecting = Make(Conduct::kRejecting);
  rejecting.Hello();
  EXPECT_TRUE(Offer(rejecting, offer)[0].message.has_rejected());

  Protocol silent = Make(Conduct::kSilent);
  silent.Hello();
  EXPECT_TRUE(Offer(silent, offer).empty());
  EXPECT_EQ(silent.Report(), "");
}

TEST_F(ProtocolTest, ARehearsalIsForgotten) {
  Protocol node = Make();
  node.Hello();
  const snapshot::EncodedDelta offer = OfferOf(1, nullptr, ResourcesOf("one"));
  v1::ControllerMessage message;
  *message.mutable_offer() = offer.offer;
  Tell(node, message);
  for (const v1::Chunk& chunk : offer.chunks) {
    *message.mutable_chunk() = chunk;
    Tell(node, message);
  }
  message.mutable_prepare()->set_root(offer.offer.version().root());
  message.mutable_prepare()->set_dry_run(true);
  EXPECT_TRUE(Tell(node, message)[0].message.has_prepared());
  EXPECT_TRUE(Commit(node, offer.offer.version())[0].message.has_resync());
}

TEST_F(ProtocolTest, ReportsEveryEndpointAndGrowingCounters) {
  Protocol node = Make();
  node.Hello();
  const snapshot::EncodedDelta offer = OfferOf(4, nullptr, ResourcesOf("one"));
  Offer(node, offer);
  Commit(node, offer.offer.version());
  v1::ProxyMessage first, second;
  ASSERT_TRUE(first.ParseFromString(node.Report()));
  ASSERT_TRUE(second.ParseFromString(node.Report()));
  ASSERT_EQ(first.report().endpoints_size(), 1);
  EXPECT_EQ(first.report().endpoints(0).cluster(), "up");
  EXPECT_TRUE(first.report().endpoints(0).healthy());
  EXPECT_EQ(first.report().current().revision(), 4u);
  ASSERT_EQ(first.report().traffic_by_version_size(), 1);
  EXPECT_EQ(first.report().traffic_by_version(0).version().revision(), 4u);
  EXPECT_GT(second.report().requests_total(), first.report().requests_total());
}

TEST_F(ProtocolTest, StartsWithWhatAnotherHas) {
  Protocol first = Make(), second = Make();
  first.Hello();
  const snapshot::EncodedDelta offer = OfferOf(4, nullptr, ResourcesOf("one"));
  Offer(first, offer);
  Commit(first, offer.offer.version());
  second.StartWith(first.snapshot(), first.version());
  EXPECT_EQ(second.Hello().hello().current().revision(), 4u);
}

TEST_F(ProtocolTest, ObeysWelcomeAndBackoff) {
  Protocol node = Make();
  node.Hello();
  v1::ControllerMessage message;
  message.mutable_welcome()->set_report_interval_ms(10);
  Tell(node, message);
  EXPECT_TRUE(node.welcomed());
  EXPECT_EQ(node.report_interval(), milliseconds(50)) << "as a proxy, not more often";
  message.mutable_backoff()->set_retry_after_ms(700);
  Tell(node, message);
  EXPECT_EQ(node.retry_after(), milliseconds(700));
  node.Hello();
  EXPECT_FALSE(node.welcomed());
  EXPECT_FALSE(node.retry_after().has_value());
}

}  // namespace
}  // namespace sluice::fleetsim
