#include "controlplane/rollout/strategy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::rollout {
namespace {

v1::RolloutStrategy Of(const std::vector<std::string>& waves) {
  v1::RolloutStrategy strategy;
  for (const std::string& wave : waves) strategy.add_waves(wave);
  return strategy;
}

std::vector<publish::NodeView> Nodes(int count) {
  std::vector<publish::NodeView> nodes(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    nodes[static_cast<size_t>(i)].id = fmt::format("n{:03}", i);
    nodes[static_cast<size_t>(i)].connected = true;
  }
  return nodes;
}

std::vector<int> SizesOf(const std::vector<v1::RolloutWave>& waves) {
  std::vector<int> sizes;
  for (const v1::RolloutWave& wave : waves) sizes.push_back(wave.node_ids_size());
  return sizes;
}

TEST(StrategyTest, ReachIsAtLeastOneNodeAndAtMostAll) {
  EXPECT_EQ(ReachOf("1", 100), 1u);
  EXPECT_EQ(ReachOf("10%", 100), 10u);
  EXPECT_EQ(ReachOf("10%", 3), 1u);
  EXPECT_EQ(ReachOf("34%", 3), 2u);
  EXPECT_EQ(ReachOf("7", 3), 3u);
  EXPECT_EQ(ReachOf("100%", 3), 3u);
}

TEST(StrategyTest, WavesDivideTheNodesAndEndWithAll) {
  EXPECT_EQ(SizesOf(PlanWaves(Of({"1", "10%", "50%", "100%"}), Nodes(100))),
            (std::vector<int>{1, 9, 40, 50}));
  // 10 % of three is the one that has it already.
  EXPECT_EQ(SizesOf(PlanWaves(Of({"1", "10%", "50%"}), Nodes(3))), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(SizesOf(PlanWaves(Of({}), Nodes(3))), (std::vector<int>{3}));
  EXPECT_EQ(SizesOf(PlanWaves(Of({"1"}), Nodes(1))), (std::vector<int>{1}));
  EXPECT_EQ(SizesOf(PlanWaves(Of({"1"}), Nodes(0))), (std::vector<int>{0}));
}

TEST(StrategyTest, WhoIsAwayCountsAndComesLast) {
  auto nodes = Nodes(4);
  nodes[0].connected = false;
  const auto waves = PlanWaves(Of({"1", "3"}), nodes);
  ASSERT_EQ(waves.size(), 3u);
  EXPECT_EQ(waves[0].node_ids(0), "n001");
  EXPECT_EQ(waves[1].node_ids_size(), 2);
  EXPECT_EQ(waves[2].node_ids(0), "n000");
  EXPECT_EQ(waves[2].size(), 4u);
}

TEST(StrategyTest, WhomTheChangeDoesNotConcernProvesNothingAndComesLast) {
  auto nodes = Nodes(10);
  for (size_t i = 0; i < 8; ++i) nodes[i].concerned = false;
  const auto waves = PlanWaves(Of({"1", "50%"}), nodes);
  ASSERT_EQ(SizesOf(waves), (std::vector<int>{1, 9}));
  EXPECT_EQ(waves[0].node_ids(0), "n008");
  EXPECT_EQ(waves[1].node_ids(0), "n009");
  EXPECT_EQ(waves[1].size(), 10u);
  for (auto& node : nodes) node.concerned = false;
  EXPECT_EQ(SizesOf(PlanWaves(Of({"1", "50%"}), nodes)), (std::vector<int>{10}));
}

TEST(StrategyTest, WhoIsCordonedHasNoPlace) {
  auto nodes = Nodes(4);
  nodes[0].cordoned = true;
  const auto waves = PlanWaves(Of({"1"}), nodes);
  ASSERT_EQ(waves.size(), 2u);
  EXPECT_EQ(waves[0].node_ids(0), "n001");
  EXPECT_EQ(waves[1].node_ids_size(), 2);
  EXPECT_EQ(waves[1].size(), 3u);
}

TEST(StrategyTest, ALabelOrdersAndThoseWithoutItComeLast) {
  auto nodes = Nodes(4);
  nodes[3].order = "a-canary";
  nodes[1].order = "b-stage";
  const auto waves = PlanWaves(Of({"1", "2"}), nodes);
  ASSERT_EQ(waves.size(), 3u);
  EXPECT_EQ(waves[0].node_ids(0), "n003");
  EXPECT_EQ(waves[1].node_ids(0), "n001");
  EXPECT_EQ(waves[2].node_ids(0), "n000");
}

}  // namespace
}  // namespace sluice::rollout
