#include "controlplane/rollout/waves.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/yaml/draft.h"

namespace sluice::rollout {
namespace {

using publish::NodeView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Order = Waves::Order;
using Rollout = v1::Rollout;

// A fleet that does as it is told, and a clock moved by hand.
class WavesTest : public ::testing::Test {
 protected:
  static constexpr int kNodes = 5;

  void SetUp() override {
    for (int i = 1; i <= kNodes; ++i) {
      NodeView& node = nodes_.emplace_back();
      node.id = fmt::format("n{}", i);
      node.connected = true;
      node.boot_id = "boot-" + node.id;
      node.root = "old";
    }
    strategy_ = yaml::DefaultRollout();  // 1, 10 % (the same one), 50 %, all.
    strategy_.mutable_gates()->set_requests_min(10);
  }

  void Begin() {
    Rollout record;
    record.mutable_version()->set_root("new");
    record.mutable_version()->set_revision(2);
    record.mutable_stable()->set_root("old");
    record.mutable_stable()->set_revision(1);
    *record.mutable_strategy() = strategy_;
    waves_ = std::make_unique<Waves>(record, nodes_, Time());
    Obey();
  }
  Now Time() const { return {now_ms_, 1'000'000 + now_ms_}; }
  NodeView& Node(int number) { return nodes_[static_cast<size_t>(number - 1)]; }
  // Who is reached has the version.
  void Obey() {
    const std::vector<std::string> reach = waves_->reach();
    for (NodeView& node : nodes_) {
      const bool reached = std::find(reach.begin(), reach.end(), node.id) != reach.end();
      if (node.connected) node.root = reached ? "new" : "old";
    }
  }
  // So long everybody serves, and reports every second.
  Waves::Decision Serve(int64_t ms, uint64_t requests_a_second = 20) {
    Waves::Decision decision;
    for (int64_t end = now_ms_ + ms; now_ms_ < end;) {
      now_ms_ += 1000;
      for (NodeView& node : nodes_) {
        if (!node.connected) continue;
        if (deaf_ && node.root != "new") continue;
        const bool is_bad = bad_everywhere_ || (bad_ && node.root == "new");
        node.counters += Second(requests_a_second, is_bad);
        node.report_ms = now_ms_;
        node.reported_root = node.root;
      }
      decision = waves_->Look(nodes_, Time());
      if (decision.order != Order::kNone) return decision;
    }
    return decision;
  }
  static publish::Traffic Second(uint64_t requests, bool is_bad) {
    publish::Traffic traffic;
    traffic.requests = requests;
    traffic.errors = is_bad ? requests / 2 : 0;
    for (size_t i = 3; i < traffic.buckets.size(); ++i) traffic.buckets[i] = requests;
    return traffic;
  }
  Rollout::State state() const { return waves_->record().state(); }

  int64_t now_ms_ = 1000;
  bool bad_ = false, bad_everywhere_ = false;
  bool deaf_ = false;  // Who does not have the version does not report.
  std::vector<NodeView> nodes_;
  v1::RolloutStrategy strategy_;
  std::unique_ptr<Waves> waves_;
};

TEST_F(WavesTest, GoesOnWaveByWaveWhileAllIsWell) {
  Begin();
  EXPECT_THAT(waves_->reach(), ElementsAre("n1"));
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  Obey();
  EXPECT_THAT(waves_->reach(), ElementsAre("n1", "n2", "n3"));
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  Obey();
  EXPECT_EQ(waves_->reach().size(), 5u);
  EXPECT_EQ(Serve(100'000).order, Order::kComplete);
  EXPECT_EQ(state(), Rollout::COMPLETED);
}

TEST_F(WavesTest, NoWaveIsShorterThanItsBake) {
  Begin();
  const int64_t began_ms = now_ms_;
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  EXPECT_GE(now_ms_ - began_ms, 30'000);
}

TEST_F(WavesTest, ErrorsTakeItBackBeforeTheBakeIsOver) {
  Begin();
  bad_ = true;
  const int64_t began_ms = now_ms_;
  EXPECT_EQ(Serve(100'000).order, Order::kTakeBack);
  EXPECT_LE(now_ms_ - began_ms, 5000);
  EXPECT_EQ(state(), Rollout::FAILED);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("wave 1 of 3: node n1: 5xx 50.0 %"));
  EXPECT_EQ(waves_->Look(nodes_, Time()).order, Order::kNone);
}

TEST_F(WavesTest, WhatTheVersionBeforeItDidIsNoExcuse) {
  // The canary comes from another version that was no better, and is being replaced.
  Node(1).reported_root = "other";
  Node(1).lately = Second(1000, /*is_bad=*/true);
  Begin();
  bad_ = true;
  EXPECT_EQ(Serve(100'000).order, Order::kTakeBack);
}

TEST_F(WavesTest, WhatFailsEverywhereIsNotTheVersions) {
  Begin();
  Serve(1000);
  // From now on everybody fails, and the canary is the first to tell.
  bad_everywhere_ = true;
  for (NodeView& node : nodes_) {
    if (node.id != "n1") continue;
    node.counters += Second(100, /*is_bad=*/true);
    node.report_ms = ++now_ms_;
  }
  EXPECT_EQ(waves_->Look(nodes_, Time()).order, Order::kNone);
  EXPECT_EQ(Serve(20'000).order, Order::kNone);
}

TEST_F(WavesTest, ASilentRestDoesNotSaveABadCanary) {
  Begin();
  bad_ = true;
  for (int i = 2; i <= kNodes; ++i) Node(i).report_ms = -1;  // Connected, and never tells.
  deaf_ = true;
  EXPECT_EQ(Serve(20'000).order, Order::kTakeBack);
}

TEST_F(WavesTest, OnFailureItMayPauseInstead) {
  strategy_.set_pause_on_failure(true);
  Begin();
  bad_ = true;
  Serve(100'000);
  EXPECT_EQ(state(), Rollout::PAUSED);
  // It stays until somebody decides.
  bad_ = false;
  EXPECT_EQ(Serve(100'000).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::PAUSED);
  ASSERT_TRUE(waves_->Resume(Time()).ok());
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
}

TEST_F(WavesTest, WithoutTrafficItWaitsThenPauses) {
  Begin();
  EXPECT_EQ(Serve(300'000, 0).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::BAKING);
  EXPECT_EQ(Serve(100'000, 0).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::PAUSED);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("too little traffic"));
  Waves::Decision decision;
  ASSERT_TRUE(waves_->Promote(nodes_, Time(), &decision).ok());
  EXPECT_EQ(decision.order, Order::kWiden);
}

TEST_F(WavesTest, ByHandEachWaveWaitsToBePromoted) {
  strategy_.set_manual(true);
  Begin();
  EXPECT_EQ(Serve(100'000).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::AWAITING);
  // What turns out bad while it waits is taken back all the same.
  bad_ = true;
  EXPECT_EQ(Serve(100'000).order, Order::kTakeBack);
}

TEST_F(WavesTest, APausedRolloutGoesNoFurtherButIsStillTakenBack) {
  Begin();
  Serve(2000);
  ASSERT_TRUE(waves_->Pause("by ann").ok());
  EXPECT_FALSE(waves_->Pause("by bob").ok());
  EXPECT_EQ(Serve(100'000).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::PAUSED);
  bad_ = true;
  EXPECT_EQ(Serve(200'000).order, Order::kTakeBack);
}

TEST_F(WavesTest, AWaveIsNotPromotedBeforeItIsEffective) {
  Begin();
  Node(1).root = "old";
  waves_->Look(nodes_, Time());
  Waves::Decision decision;
  EXPECT_THAT(std::string(waves_->Promote(nodes_, Time(), &decision).message()),
              HasSubstr("not effective yet"));
}

TEST_F(WavesTest, ANodeThatIsNotEffectiveInTimeFailsTheWave) {
  Begin();
  Node(1).root = "old";
  EXPECT_EQ(Serve(60'000).order, Order::kTakeBack);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("not effective within 30 s: n1"));
}

TEST_F(WavesTest, ANodeThatRefusesFailsTheWave) {
  Begin();
  Node(1).refused = true;
  Node(1).refusal = "no such curve";
  EXPECT_EQ(Serve(1000).order, Order::kTakeBack);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("n1: it refused the version: no such curve"));
}

TEST_F(WavesTest, ACanaryThatFallsSilentFailsTheWave) {
  Begin();
  Serve(2000);
  Node(1).connected = false;
  EXPECT_EQ(Serve(20'000).order, Order::kNone);  // It may only have started again.
  EXPECT_EQ(Serve(40'000).order, Order::kTakeBack);
  EXPECT_THAT(waves_->record().reason(),
              HasSubstr("silent, or without the version it had, for 30 s: n1"));
}

TEST_F(WavesTest, ACanaryThatOnlySaysItHasTheVersionProvesNothing) {
  Begin();
  Serve(2000);
  Node(1).root = "old";  // So its reports say.
  EXPECT_EQ(Serve(40'000).order, Order::kTakeBack);
}

TEST_F(WavesTest, ANodeThatRestartsIsJudgedOnByItsNewCounters) {
  Begin();
  Serve(2000);
  Node(1).connected = false;
  Serve(5000);
  Node(1).connected = true;
  Node(1).boot_id = "another";
  Node(1).counters = {};
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
}

TEST_F(WavesTest, WhoLeavesInOrderIsNotMissed) {
  strategy_.clear_waves();
  strategy_.add_waves("2");
  Begin();
  Serve(2000);
  Node(1).leaving = true;
  Node(1).connected = false;
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
}

TEST_F(WavesTest, AFleetWithoutNodesHasNothingToWaitFor) {
  nodes_.clear();
  Begin();
  EXPECT_EQ(Serve(100'000).order, Order::kComplete);
}

TEST_F(WavesTest, WhoIsAwayWhenItsWaveBeginsIsLeftBehind) {
  Begin();
  Node(2).connected = false;
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  Obey();
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
}

TEST_F(WavesTest, OneOfManyMayBeLost) {
  nodes_.clear();
  for (int i = 1; i <= 20; ++i) {
    NodeView& node = nodes_.emplace_back();
    node.id = fmt::format("n{:02}", i);
    node.connected = true;
    node.root = "old";
  }
  strategy_.clear_waves();
  strategy_.add_waves("50%");
  Begin();
  Serve(2000);
  nodes_[0].connected = false;
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
}

TEST_F(WavesTest, WhoComesLaterHasItsPlaceInTheLastWave) {
  strategy_.clear_waves();
  strategy_.add_waves("1");
  Begin();
  NodeView late = Node(5);
  late.id = "a-newcomer";
  nodes_.push_back(late);
  Obey();
  EXPECT_EQ(nodes_.back().root, "old");
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  EXPECT_THAT(waves_->record().waves(1).node_ids(), ::testing::Contains("a-newcomer"));
  Obey();
  EXPECT_EQ(Serve(100'000).order, Order::kComplete);
}

TEST_F(WavesTest, ARemovedNodeIsNotWaitedFor) {
  Begin();
  Node(1).root = "old";
  waves_->Look(nodes_, Time());
  nodes_.erase(nodes_.begin());
  EXPECT_EQ(Serve(1000).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::BAKING);
  EXPECT_EQ(Serve(100'000).order, Order::kNone);
  EXPECT_EQ(state(), Rollout::PAUSED);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("no node that has the version is left"));
}

TEST_F(WavesTest, WhoIsCordonedHasNoPlaceInAnyWave) {
  Node(1).cordoned = true;
  Begin();
  EXPECT_THAT(waves_->reach(), ElementsAre("n2"));
  while (Serve(100'000).order == Order::kWiden) Obey();
  EXPECT_EQ(state(), Rollout::COMPLETED);
  EXPECT_THAT(waves_->reach(), ElementsAre("n2", "n3", "n4", "n5"));
}

TEST_F(WavesTest, WhoIsCordonedBeforeItHasTheVersionIsNotWaitedFor) {
  Begin();
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  Obey();
  Node(2).root = "old";
  Node(2).cordoned = true;
  EXPECT_EQ(Serve(100'000).order, Order::kWiden);
  // Also who is cordoned before its wave begins.
  Node(4).cordoned = true;
  Obey();
  Node(2).root = Node(4).root = "old";
  EXPECT_EQ(Serve(100'000).order, Order::kComplete);
}

TEST_F(WavesTest, WhoIsCordonedWithTheVersionIsJudgedAllTheSame) {
  Begin();
  Serve(2000);
  Node(1).cordoned = true;
  bad_ = true;
  EXPECT_EQ(Serve(100'000).order, Order::kTakeBack);
}

TEST_F(WavesTest, AnUpstreamThatBreaksTakesItBack) {
  Begin();
  Serve(2000);
  Node(1).broken_upstreams = {"users"};
  EXPECT_EQ(Serve(2000).order, Order::kTakeBack);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("most endpoints of users are unhealthy"));
}

TEST_F(WavesTest, GoesOnInAnotherLifeWhereItWas) {
  Begin();
  Serve(100'000);
  Obey();
  Serve(5000);
  ASSERT_EQ(state(), Rollout::BAKING);
  Rollout stored;
  ASSERT_TRUE(stored.ParseFromString(waves_->record().SerializeAsString()));
  now_ms_ = 7;  // The clock of another boot.
  for (NodeView& node : nodes_) node.report_ms = 0;
  waves_ = std::make_unique<Waves>(stored, Time());
  EXPECT_THAT(waves_->reach(), ElementsAre("n1", "n2", "n3"));
  bad_ = true;
  EXPECT_EQ(Serve(20'000).order, Order::kTakeBack);
  EXPECT_THAT(waves_->record().reason(), HasSubstr("wave 2 of 3"));
}

TEST_F(WavesTest, OfAnEndedRolloutNothingIsAsked) {
  Begin();
  waves_->End(Rollout::ABORTED, "by ann", Time());
  EXPECT_FALSE(waves_->active());
  EXPECT_FALSE(waves_->Pause("x").ok());
  EXPECT_FALSE(waves_->Resume(Time()).ok());
  Waves::Decision decision;
  EXPECT_FALSE(waves_->Promote(nodes_, Time(), &decision).ok());
  EXPECT_EQ(Serve(100'000).order, Order::kNone);
}

}  // namespace
}  // namespace sluice::rollout
