#include "tools/sluicectl/rollout_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::sluicectl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 1'800'000'000'000;

// Two waves of three; the second is out.
v1::Rollout Example(v1::Rollout::State state) {
  v1::Rollout rollout;
  rollout.mutable_version()->set_revision(7);
  rollout.mutable_stable()->set_revision(5);
  rollout.set_state(state);
  rollout.set_author("ann");
  rollout.set_started_unix_ms(kNow - 90'000);
  rollout.set_wave(1);
  for (const uint32_t size : {1u, 12u, 40u}) rollout.add_waves()->set_size(size);
  v1::RolloutWave& first = *rollout.mutable_waves(0);
  first.add_node_ids("edge-1");
  first.set_started_unix_ms(kNow - 90'000);
  first.set_ended_unix_ms(kNow - 50'000);
  v1::RolloutWave& second = *rollout.mutable_waves(1);
  for (int i = 2; i <= 12; ++i) second.add_node_ids("edge-" + std::to_string(i));
  second.set_started_unix_ms(kNow - 50'000);
  v1::RolloutFinding& finding = *second.add_findings();
  finding.set_gate("errors");
  finding.set_node_id("edge-3");
  finding.set_message("5xx 30.0 % of 100 requests");
  return rollout;
}

std::string Shown(const v1::Rollout& rollout) { return RolloutText(rollout, kNow).Render(false); }

TEST(RolloutTextTest, ShowsVersionsWavesAndTheFiguresOfTheWaveThatIsOut) {
  const std::string text = Shown(Example(v1::Rollout::BAKING));
  EXPECT_THAT(text, HasSubstr("version 7 (root -) in place of version 5"));
  EXPECT_THAT(text, HasSubstr("baking, wave 2 of 3, begun 1m30s ago by ann"));
  EXPECT_THAT(text, HasSubstr("1   1 node in all     passed"));
  EXPECT_THAT(text, HasSubstr("2   12 nodes in all   baking"));
  EXPECT_THAT(text, HasSubstr("edge-2, edge-3, edge-4, edge-5, edge-6, edge-7 and 5 more"));
  EXPECT_THAT(text, HasSubstr("3   40 nodes in all   waiting"));
  EXPECT_THAT(text, HasSubstr("errors      node edge-3: 5xx 30.0 % of 100 requests"));
  EXPECT_THAT(text, Not(HasSubstr("Next:")));
}

TEST(RolloutTextTest, SaysWhyItStandsAndWhatToDoNext) {
  v1::Rollout rollout = Example(v1::Rollout::PAUSED);
  rollout.set_reason("by bob: lunch");
  EXPECT_THAT(Shown(rollout), HasSubstr("Because:    by bob: lunch"));
  EXPECT_THAT(Shown(rollout), HasSubstr("'sluicectl rollout resume'"));
  EXPECT_THAT(Shown(Example(v1::Rollout::AWAITING)), HasSubstr("'sluicectl rollout promote'"));
  EXPECT_THAT(Shown(Example(v1::Rollout::FAILED)), HasSubstr("'sluicectl rollout retry'"));
}

TEST(RolloutTextTest, EveryWaveOfAFailedOneWasTakenBack) {
  const std::string text = Shown(Example(v1::Rollout::FAILED));
  EXPECT_THAT(text, HasSubstr("1   1 node in all     taken back"));
  EXPECT_THAT(text, HasSubstr("2   12 nodes in all   taken back"));
}

TEST(RolloutTextTest, WhatStrangersNamedDoesNotDriveTheTerminal) {
  v1::Rollout rollout = Example(v1::Rollout::BAKING);
  rollout.mutable_waves(0)->set_node_ids(0, "edge\x1b[2J");
  EXPECT_THAT(Shown(rollout), Not(HasSubstr("\x1b")));
}

TEST(RolloutTextTest, OnlyEndedOnesAreOver) {
  for (const auto state :
       {v1::Rollout::RELEASING, v1::Rollout::BAKING, v1::Rollout::PAUSED, v1::Rollout::AWAITING}) {
    EXPECT_FALSE(IsOver(state));
  }
  for (const auto state : {v1::Rollout::COMPLETED, v1::Rollout::FAILED, v1::Rollout::ABORTED,
                           v1::Rollout::SUPERSEDED}) {
    EXPECT_TRUE(IsOver(state));
  }
}

}  // namespace
}  // namespace sluice::sluicectl
