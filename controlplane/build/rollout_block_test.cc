// The block `rollout` of a document.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/build/testing_documents.h"
#include "controlplane/yaml/draft.h"

namespace sluice::build {
namespace {

using ::testing::ElementsAre;
using testing_documents::Build;
using testing_documents::DocumentOf;
using testing_documents::LinesOf;
using testing_documents::ProblemsOf;
using Lines = std::vector<std::string>;

constexpr char kService[] = "services: [{name: a, bind_address: '127.0.0.1:80', routes: []}]\n";

std::string With(const std::string& block) { return kService + ("rollout: " + block + "\n"); }

TEST(RolloutBlockTest, WithoutOneAllNodesChangeAtOnce) {
  EXPECT_FALSE(Build(DocumentOf(kService)).rollout.has_value());
}

TEST(RolloutBlockTest, AnEmptyOneMeansTheDefaults) {
  const BuildResult result = Build(DocumentOf(With("{}")));
  EXPECT_EQ(LinesOf(result), Lines());
  ASSERT_TRUE(result.rollout.has_value());
  EXPECT_EQ(result.rollout->SerializeAsString(), yaml::DefaultRollout().SerializeAsString());
  EXPECT_THAT(result.rollout->waves(), ElementsAre("1", "10%", "50%", "100%"));
  EXPECT_EQ(result.rollout->bake_ms(), 30'000u);
  EXPECT_EQ(result.rollout->gates().requests_min(), 100u);
  EXPECT_EQ(result.rollout->preflight_ms(), 0u);
  EXPECT_FALSE(result.rollout->gates().has_max_changed_ppm());
}

TEST(RolloutBlockTest, EveryKeyHasItsMeaning) {
  const BuildResult result = Build(DocumentOf(
      With("{waves: [2, '25%'], order_by: tier, bake: 2m, promotion: manual, on_failure: pause, "
           "gates: {effective_within: 10s, requests_min: 5, requests_wait: 1m, "
           "max_5xx_increase_percent: 1, max_p99_increase_percent: 20, endpoints: false, "
           "max_changed_ratio: 0.0125}, preflight: 1m, preflight_nodes: '10%', "
           "preflight_sample_percent: 25}")));
  EXPECT_EQ(LinesOf(result), Lines());
  ASSERT_TRUE(result.rollout.has_value());
  const v1::RolloutStrategy& strategy = *result.rollout;
  EXPECT_THAT(strategy.waves(), ElementsAre("2", "25%"));
  EXPECT_EQ(strategy.order_by(), "tier");
  EXPECT_EQ(strategy.bake_ms(), 120'000u);
  EXPECT_TRUE(strategy.manual());
  EXPECT_TRUE(strategy.pause_on_failure());
  EXPECT_EQ(strategy.gates().effective_within_ms(), 10'000u);
  EXPECT_EQ(strategy.gates().requests_min(), 5u);
  EXPECT_EQ(strategy.gates().requests_wait_ms(), 60'000u);
  EXPECT_EQ(strategy.gates().errors_increase_percent(), 1u);
  EXPECT_EQ(strategy.gates().p99_increase_percent(), 20u);
  EXPECT_TRUE(strategy.gates().ignore_endpoints());
  EXPECT_EQ(strategy.gates().max_changed_ppm(), 12'500u);
  EXPECT_EQ(strategy.preflight_ms(), 60'000u);
  EXPECT_EQ(strategy.preflight_nodes(), "10%");
  EXPECT_EQ(strategy.preflight_sample_percent(), 25u);
}

// How a change goes out is no part of what the proxies get.
TEST(RolloutBlockTest, ItDoesNotChangeTheSnapshot) {
  EXPECT_EQ(Build(DocumentOf(kService)).root, Build(DocumentOf(With("{bake: 5s}"))).root);
}

TEST(RolloutBlockTest, WavesAreNumbersOrSharesAndGrow) {
  EXPECT_EQ(ProblemsOf(With("{waves: ['ten']}")),
            Lines({"a.yaml:2:19: error: rollout.waves[0]: 'ten' is no wave; write a number of "
                   "nodes, like 1, or a share of them, like 10%"}));
  for (const char* bad : {"'0'", "'0%'", "'101%'", "'-1'", "'1.5'", "'%'"}) {
    EXPECT_EQ(ProblemsOf(With(fmt::format("{{waves: [{}]}}", bad))).size(), 1u) << bad;
  }
  EXPECT_EQ(
      ProblemsOf(With("{waves: ['50%', '10%']}")),
      Lines({"a.yaml:2:18: error: rollout.waves: '10%' after '50%': each wave must reach more "
             "nodes than the one before"}));
}

TEST(RolloutBlockTest, ARatioIsANumberFromZeroToOne) {
  EXPECT_EQ(
      Build(DocumentOf(With("{gates: {max_changed_ratio: 0}}"))).rollout->gates().max_changed_ppm(),
      0u);
  EXPECT_EQ(ProblemsOf(With("{gates: {max_changed_ratio: 5%}}")),
            Lines({"a.yaml:2:38: error: rollout.gates.max_changed_ratio: '5%' is no ratio; write "
                   "it as a number from 0 to 1: 0.05"}));
  for (const char* bad : {"1.01", "-0.1", ".5", "1.", "0.1234567", "'0.5'", "x", "1e-3"}) {
    EXPECT_EQ(ProblemsOf(With(fmt::format("{{gates: {{max_changed_ratio: {}}}}}", bad))).size(), 1u)
        << bad;
  }
}

TEST(RolloutBlockTest, UnknownKeysAreNamed) {
  EXPECT_EQ(ProblemsOf(With("{wave: ['1']}")),
            Lines({"a.yaml:2:11: error: rollout.wave: unknown key 'wave'; did you mean 'waves'?"}));
}

}  // namespace
}  // namespace sluice::build
