#include "dataplane/upstream/balancer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace sluice::upstream {
namespace {

constexpr v1::LbStrategy kStrategies[] = {v1::LB_STRATEGY_LEAST_REQUEST,
                                          v1::LB_STRATEGY_ROUND_ROBIN, v1::LB_STRATEGY_RANDOM,
                                          v1::LB_STRATEGY_HASH};

// Endpoints with health of their own, as a cluster holds them.
struct Fixture {
  explicit Fixture(const std::vector<uint32_t>& weights, uint32_t first_identity = 0) {
    for (uint32_t i = 0; i < weights.size(); ++i) {
      healths.emplace_back(true);
      endpoints.push_back({.health = &healths.back(), .weight = weights[i]});
      identities.push_back("10.0.0." + std::to_string(first_identity + i) + ":8080");
    }
  }
  void Eject(uint32_t index) { healths[index].Eject("test", 1, 2); }
  void SetHealthy(uint32_t index, bool healthy) { healths[index].Set(healthy, "test", 1); }
  Balancer Make(v1::LbStrategy strategy, uint64_t seed = 1, uint32_t panic = 50) {
    return Balancer(strategy, endpoints, identities, panic, seed);
  }

  std::deque<EndpointHealth> healths;
  std::vector<EndpointLoad> endpoints;
  std::vector<std::string> identities;
};

std::vector<uint32_t> Ones(size_t count) { return std::vector<uint32_t>(count, 1); }

std::vector<int> Count(Balancer& balancer, size_t endpoints, int picks, uint64_t seed,
                       const TriedEndpoints& tried = {}) {
  base::Random random(seed);
  std::vector<int> counts(endpoints, 0);
  for (int i = 0; i < picks; ++i) {
    const int index = balancer.Pick(random.Next(), tried);
    EXPECT_GE(index, 0);
    if (index >= 0) ++counts[static_cast<size_t>(index)];
  }
  return counts;
}

TEST(BalancerTest, GivesNothingWhenThereIsNoEndpoint) {
  Fixture fixture({});
  for (const auto strategy : kStrategies) {
    Balancer balancer = fixture.Make(strategy);
    EXPECT_EQ(balancer.Pick(1, {}), -1);
  }
}

TEST(BalancerTest, EveryStrategyFollowsTheWeights) {
  const std::vector<uint32_t> weights = {1, 2, 5, 0};  // 0 counts as 1.
  constexpr int kPicks = 90'000;
  for (const auto strategy : kStrategies) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE("strategy " + std::to_string(strategy) + ", seed " + std::to_string(seed));
      Fixture fixture(weights);
      Balancer balancer = fixture.Make(strategy, seed);
      const std::vector<int> counts = Count(balancer, weights.size(), kPicks, seed);
      for (size_t i = 0; i < weights.size(); ++i) {
        const double expected = kPicks * std::max(1u, weights[i]) / 9.0;
        EXPECT_NEAR(counts[i], expected, expected * 0.06) << "endpoint " << i;
      }
    }
  }
}

TEST(BalancerTest, LargeClustersAreSpreadEvenly) {
  constexpr size_t kEndpoints = 200;
  constexpr int kPicks = 200'000;
  for (const auto strategy : kStrategies) {
    SCOPED_TRACE(strategy);
    Fixture fixture(Ones(kEndpoints));
    Balancer balancer = fixture.Make(strategy, 7);
    const std::vector<int> counts = Count(balancer, kEndpoints, kPicks, 7);
    EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 800);
    EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 1200);
  }
}

TEST(BalancerTest, NeverPicksTheUnhealthyOrTheTriedWhileHealthChangesAtRandom) {
  for (const auto strategy : kStrategies) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE("strategy " + std::to_string(strategy) + ", seed " + std::to_string(seed));
      base::Random random(seed);
      const auto count = static_cast<uint32_t>(1 + random.Below(80));
      std::vector<uint32_t> weights;
      for (uint32_t i = 0; i < count; ++i)
        weights.push_back(static_cast<uint32_t>(1 + random.Below(10)));
      Fixture fixture(weights);
      Balancer balancer = fixture.Make(strategy, seed, /*panic=*/0);
      for (int step = 0; step < 2'000; ++step) {
        if (step % 5 == 0)
          fixture.SetHealthy(static_cast<uint32_t>(random.Below(count)), random.Below(2) == 0);
        TriedEndpoints tried;
        for (uint64_t i = random.Below(4); i > 0; --i) {
          tried.Add(static_cast<uint32_t>(random.Below(count)));
        }
        bool any = false;
        for (uint32_t i = 0; i < count; ++i) {
          any = any || (fixture.healths[i].healthy() && !tried.Contains(i));
        }
        const int picked = balancer.Pick(random.Next(), tried);
        ASSERT_EQ(picked >= 0, any) << "step " << step;
        if (picked < 0) continue;
        ASSERT_TRUE(fixture.healths[static_cast<size_t>(picked)].healthy()) << "step " << step;
        ASSERT_FALSE(tried.Contains(static_cast<uint32_t>(picked))) << "step " << step;
      }
    }
  }
}

TEST(BalancerTest, IgnoresHealthBelowThePanicThresholdAndOnlyThere) {
  for (const auto strategy : kStrategies) {
    SCOPED_TRACE(strategy);
    Fixture fixture(Ones(4));
    Balancer balancer = fixture.Make(strategy);
    fixture.SetHealthy(0, false);
    fixture.SetHealthy(1, false);  // Half are left: still enough.
    std::vector<int> counts = Count(balancer, 4, 1'000, 3);
    EXPECT_EQ(counts[0] + counts[1], 0);

    fixture.SetHealthy(2, false);  // A quarter is left: panic.
    counts = Count(balancer, 4, 1'000, 3);
    for (const int count : counts) EXPECT_GT(count, 100);

    fixture.SetHealthy(1, true);
    counts = Count(balancer, 4, 1'000, 3);
    EXPECT_EQ(counts[0] + counts[2], 0);
  }
}

TEST(BalancerTest, EjectedEndpointsCountTowardsPanic) {
  for (const auto strategy : kStrategies) {
    SCOPED_TRACE(strategy);
    Fixture fixture(Ones(4));
    Balancer balancer = fixture.Make(strategy);
    fixture.Eject(0);
    fixture.SetHealthy(1, false);
    std::vector<int> counts = Count(balancer, 4, 1'000, 3);
    EXPECT_EQ(counts[0] + counts[1], 0);

    fixture.SetHealthy(2, false);
    counts = Count(balancer, 4, 1'000, 3);
    for (const int count : counts) EXPECT_GT(count, 100);

    fixture.healths[0].Readmit(2);
    counts = Count(balancer, 4, 1'000, 3);
    EXPECT_EQ(counts[1] + counts[2], 0);
  }
}

TEST(BalancerTest, WithoutPanicNothingIsPickedWhenAllAreUnhealthy) {
  for (const auto strategy : kStrategies) {
    Fixture fixture(Ones(2));
    Balancer balancer = fixture.Make(strategy, 1, /*panic=*/0);
    fixture.SetHealthy(0, false);
    fixture.SetHealthy(1, false);
    EXPECT_EQ(balancer.Pick(1, {}), -1);
  }
}

TEST(BalancerTest, GivesNothingWhenAllAreTriedEvenInPanic) {
  for (const auto strategy : kStrategies) {
    Fixture fixture(Ones(3));
    Balancer balancer = fixture.Make(strategy);
    for (uint32_t i = 0; i < 3; ++i) fixture.SetHealthy(i, false);
    TriedEndpoints tried;
    for (uint32_t i = 0; i < 3; ++i) {
      const int picked = balancer.Pick(5, tried);
      ASSERT_GE(picked, 0);
      tried.Add(static_cast<uint32_t>(picked));
    }
    EXPECT_EQ(balancer.Pick(5, tried), -1);
  }
}

TEST(TriedEndpointsTest, RemembersEightAndForgetsWhenCleared) {
  TriedEndpoints tried;
  EXPECT_TRUE(tried.empty());
  for (uint32_t i = 0; i < 20; ++i) tried.Add(i);
  tried.Add(0);
  EXPECT_EQ(tried.size(), 8u);
  EXPECT_TRUE(tried.Contains(7));
  EXPECT_FALSE(tried.Contains(8));
  tried.Clear();
  EXPECT_FALSE(tried.Contains(0));
}

TEST(RoundRobinTest, EqualWeightsTakeTurns) {
  Fixture fixture(Ones(3));
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_ROUND_ROBIN, 0);
  std::vector<int> picks;
  for (int i = 0; i < 6; ++i) picks.push_back(balancer.Pick(0, {}));
  EXPECT_EQ(picks, (std::vector<int>{0, 1, 2, 0, 1, 2}));
}

TEST(RoundRobinTest, SeedsMoveTheStart) {
  Fixture fixture(Ones(3));
  std::vector<int> firsts;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    firsts.push_back(fixture.Make(v1::LB_STRATEGY_ROUND_ROBIN, seed).Pick(0, {}));
  }
  std::sort(firsts.begin(), firsts.end());
  EXPECT_EQ(firsts, (std::vector<int>{0, 1, 2}));
}

TEST(RoundRobinTest, WeightsAreExactInEveryPeriodAndHeavyEndpointsAreSpreadOut) {
  Fixture fixture({5, 1, 1});
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_ROUND_ROBIN, 0);
  for (int period = 0; period < 10; ++period) {
    std::vector<int> counts(3, 0);
    int run = 0, run_max = 0;
    for (int i = 0; i < 7; ++i) {
      const int picked = balancer.Pick(0, {});
      ++counts[static_cast<size_t>(picked)];
      run = picked == 0 ? run + 1 : 0;
      run_max = std::max(run_max, run);
    }
    EXPECT_EQ(counts, (std::vector<int>{5, 1, 1}));
    EXPECT_LE(run_max, 3);
  }
}

TEST(RoundRobinTest, AnEndpointThatComesBackDoesNotCatchUp) {
  Fixture fixture(Ones(4));
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_ROUND_ROBIN, 0);
  fixture.SetHealthy(3, false);
  Count(balancer, 4, 3'000, 1);
  fixture.SetHealthy(3, true);
  const std::vector<int> counts = Count(balancer, 4, 40, 1);
  for (const int count : counts) EXPECT_NEAR(count, 10, 1);
}

TEST(RoundRobinTest, SettingTimeBackKeepsTurnsAlsoOfTheEndpointThatIsAway) {
  Fixture fixture({1, 3, 1});
  RoundRobin strategy(fixture.endpoints, 0);
  const uint32_t all[] = {0, 1, 2};
  const uint32_t without_last[] = {0, 1};
  strategy.SetUsable(all);
  while (strategy.now() < RoundRobin::kTimeMax - 4 * RoundRobin::kTurn) strategy.Pick(0, {});
  // The last endpoint goes away with a turn late in time, and time is set back without it.
  strategy.SetUsable(without_last);
  for (uint64_t before = 0; strategy.now() >= before;) {
    before = strategy.now();
    ASSERT_GE(strategy.Pick(0, {}), 0);
    ASSERT_LT(strategy.now(), RoundRobin::kTimeMax);
  }
  EXPECT_LT(strategy.now(), RoundRobin::kTurn);

  strategy.SetUsable(all);
  std::vector<int> counts(3, 0);
  for (int i = 0; i < 500; ++i) ++counts[static_cast<size_t>(strategy.Pick(0, {}))];
  EXPECT_NEAR(counts[0], 100, 2);
  EXPECT_NEAR(counts[1], 300, 2);
  EXPECT_NEAR(counts[2], 100, 2);
  EXPECT_LT(strategy.now(), 110 * RoundRobin::kTurn);
}

TEST(LeastRequestTest, AvoidsTheBusyOne) {
  Fixture fixture(Ones(2));
  fixture.endpoints[0].active_requests = 3;
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_LEAST_REQUEST);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(balancer.Pick(0, {}), 1);
}

TEST(LeastRequestTest, ComparesLoadPerWeight) {
  Fixture fixture({4, 1});
  fixture.endpoints[0].active_requests = 3;  // 0.75 per weight.
  fixture.endpoints[1].active_requests = 1;  // 1 per weight.
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_LEAST_REQUEST);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(balancer.Pick(0, {}), 0);
}

TEST(LeastRequestTest, KeepsQueuesLevelWhenOneEndpointIsSlow) {
  Fixture fixture(Ones(4));
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_LEAST_REQUEST, 11);
  // Endpoint 0 finishes nothing; the others finish at once.
  for (int i = 0; i < 10'000; ++i) {
    if (balancer.Pick(0, {}) == 0) ++fixture.endpoints[0].active_requests;
  }
  EXPECT_LE(fixture.endpoints[0].active_requests, 1u);
}

std::vector<std::string> HomesOf(Fixture& fixture, int keys) {
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_HASH);
  std::vector<std::string> homes;
  for (int key = 0; key < keys; ++key) {
    const int index = balancer.Pick(static_cast<uint64_t>(key), {});
    homes.push_back(fixture.identities[static_cast<size_t>(index)]);
  }
  return homes;
}

TEST(MaglevTest, AKeyStaysAtItsEndpoint) {
  Fixture fixture(Ones(10));
  EXPECT_EQ(HomesOf(fixture, 1'000), HomesOf(fixture, 1'000));
}

TEST(MaglevTest, TheOrderOfConfigurationDoesNotMatter) {
  Fixture fixture({1, 2, 3, 4, 5});
  const auto before = HomesOf(fixture, 5'000);
  std::reverse(fixture.identities.begin(), fixture.identities.end());
  std::reverse(fixture.endpoints.begin(), fixture.endpoints.end());
  EXPECT_EQ(HomesOf(fixture, 5'000), before);
}

TEST(MaglevTest, RemovingOneOfTenMovesLittleMoreThanItsOwnKeys) {
  constexpr int kKeys = 20'000;
  Fixture ten(Ones(10));
  Fixture nine(Ones(9), /*first_identity=*/1);  // Without the first.
  const auto before = HomesOf(ten, kKeys);
  const auto after = HomesOf(nine, kKeys);
  int owned = 0, moved_others = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == ten.identities[0]) {
      ++owned;
    } else if (before[i] != after[i]) {
      ++moved_others;
    }
  }
  EXPECT_NEAR(owned, kKeys / 10, kKeys / 100);
  EXPECT_LT(moved_others, kKeys * 8 / 100);
}

TEST(MaglevTest, AnUnhealthyEndpointMovesOnlyItsOwnKeysAndSpreadsThem) {
  constexpr int kKeys = 20'000;
  Fixture fixture(Ones(10));
  const auto before = HomesOf(fixture, kKeys);
  fixture.SetHealthy(4, false);
  const auto after = HomesOf(fixture, kKeys);
  std::vector<int> received(10, 0);
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] != fixture.identities[4]) {
      ASSERT_EQ(after[i], before[i]);
      continue;
    }
    const auto home = std::find(fixture.identities.begin(), fixture.identities.end(), after[i]);
    ++received[static_cast<size_t>(home - fixture.identities.begin())];
  }
  EXPECT_EQ(received[4], 0);
  for (size_t i = 0; i < 10; ++i) {
    if (i == 4) continue;
    EXPECT_NEAR(received[i], kKeys / 90, kKeys / 250) << i;
  }
  fixture.SetHealthy(4, true);
  EXPECT_EQ(HomesOf(fixture, kKeys), before);
}

TEST(MaglevTest, ARetryGoesToTheSameSecondChoice) {
  Fixture fixture(Ones(5));
  Balancer balancer = fixture.Make(v1::LB_STRATEGY_HASH);
  for (uint64_t key = 0; key < 200; ++key) {
    TriedEndpoints tried;
    tried.Add(static_cast<uint32_t>(balancer.Pick(key, tried)));
    const int second = balancer.Pick(key, tried);
    EXPECT_FALSE(tried.Contains(static_cast<uint32_t>(second)));
    EXPECT_EQ(balancer.Pick(key, tried), second);
  }
}

TEST(EndpointHealthTest, TellsSinceWhenAndWhy) {
  EndpointHealth health(true);
  const uint64_t changes = EndpointHealth::Changes();
  health.Set(true, "not checked yet", 100);
  health.Set(true, "200", 200);
  EXPECT_EQ(EndpointHealth::Changes(), changes);
  EXPECT_EQ(health.status().since_unix_ms, 100);
  EXPECT_EQ(health.status().reason, "200");
  health.Set(false, "status 503", 300);
  EXPECT_EQ(EndpointHealth::Changes(), changes + 1);
  EXPECT_FALSE(health.healthy());
  EXPECT_EQ(health.status().since_unix_ms, 300);
  EXPECT_EQ(health.status().reason, "status 503");
}

}  // namespace
}  // namespace sluice::upstream
