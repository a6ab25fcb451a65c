#include "dataplane/overload/load_gate.h"

#include <gtest/gtest.h>

namespace sluice::overload {
namespace {

TEST(LoadGateTest, WithoutLimitsNothingIsWanting) {
  LoadGate gate;
  EXPECT_FALSE(gate.JudgeMemory(uint64_t{1} << 62));
  EXPECT_FALSE(gate.sheds_requests());
  EXPECT_EQ(gate.WantingFor(1'000'000), std::nullopt);
}

TEST(LoadGateTest, MemoryIsShortUntilItIsWellBelowTheLimit) {
  LoadGate gate;
  gate.SetLimits({.memory_bytes = 1000});
  EXPECT_FALSE(gate.JudgeMemory(999));
  EXPECT_TRUE(gate.JudgeMemory(1000));
  EXPECT_TRUE(gate.sheds_requests());
  EXPECT_TRUE(gate.JudgeMemory(950)) << "just below the limit it would begin again at once";
  EXPECT_FALSE(gate.JudgeMemory(949));
  EXPECT_FALSE(gate.JudgeMemory(999));
  EXPECT_FALSE(gate.sheds_requests());
}

TEST(LoadGateTest, ARaisedLimitEndsTheShortage) {
  LoadGate gate;
  gate.SetLimits({.memory_bytes = 1000});
  EXPECT_TRUE(gate.JudgeMemory(2000));
  gate.SetLimits({.memory_bytes = 4000});
  EXPECT_FALSE(gate.JudgeMemory(2000));
}

TEST(LoadGateTest, ConnectionsAreCountedOpenAndClosed) {
  LoadGate gate;
  gate.SetLimits({.connections = 2});
  gate.ConnectionOpened();
  EXPECT_EQ(gate.WantingFor(5), std::nullopt);
  gate.ConnectionOpened();
  EXPECT_EQ(gate.WantingFor(5), Resource::kConnections);
  gate.ConnectionClosed();
  EXPECT_EQ(gate.WantingFor(5), std::nullopt);
}

TEST(LoadGateTest, TheNumberOfADescriptorTellsHowManyThereAre) {
  LoadGate gate;
  gate.SetLimits({.descriptors = 100});
  EXPECT_EQ(gate.WantingFor(99), std::nullopt);
  EXPECT_EQ(gate.WantingFor(100), Resource::kDescriptors);
}

TEST(LoadGateTest, WhatIsShedIsCountedByResource) {
  LoadGate gate;
  gate.CountShed(Resource::kMemory);
  gate.CountShed(Resource::kConnections, 64);
  EXPECT_EQ(gate.shed_total(Resource::kMemory), 1u);
  EXPECT_EQ(gate.shed_total(Resource::kConnections), 64u);
  EXPECT_EQ(gate.shed_total(Resource::kDescriptors), 0u);
}

}  // namespace
}  // namespace sluice::overload
