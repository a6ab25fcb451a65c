#include "dataplane/upstream/slow_start.h"

#include <gtest/gtest.h>

#include "dataplane/upstream/cluster.h"

namespace sluice::upstream {
namespace {

class SlowStartTest : public testing::Test {
 protected:
  static constexpr int64_t kSecond = 1'000'000;

  void Apply(SlowStart& slow, int64_t after) {
    slow.Apply(loads_, old_.usable_since_micros() + after, [](size_t) { return 3u; });
  }

  EndpointHealth old_{true, 1'000'000};
  std::vector<EndpointLoad> loads_{{.health = &old_}};
};

TEST_F(SlowStartTest, GrowsFromATenthToAll) {
  SlowStart slow(io::Millis(10'000));
  Apply(slow, 0);
  EXPECT_EQ(loads_[0].weight, 3u);
  Apply(slow, 4 * kSecond);
  EXPECT_EQ(loads_[0].weight, 3 * 5u);
  Apply(slow, 60 * kSecond);
  EXPECT_EQ(loads_[0].weight, 3 * SlowStart::kScale);
}

TEST_F(SlowStartTest, IsDueEachStepAndThenNoMore) {
  SlowStart slow(io::Millis(10'000));
  const int64_t begin = old_.usable_since_micros();
  EXPECT_TRUE(slow.due(begin));
  Apply(slow, 0);
  EXPECT_FALSE(slow.due(begin + kSecond - 1));
  EXPECT_TRUE(slow.due(begin + kSecond));
  Apply(slow, 10 * kSecond);
  EXPECT_FALSE(slow.due(begin + 1000 * kSecond));
  old_.Set(false, "", 1);
  EXPECT_TRUE(slow.due(begin + 1000 * kSecond));
}

TEST_F(SlowStartTest, OffByDefault) { EXPECT_FALSE(SlowStart(io::Millis(0)).due(1)); }

TEST_F(SlowStartTest, ANewEndpointGetsATenthOfItsShare) {
  for (const v1::LbStrategy strategy :
       {v1::LB_STRATEGY_ROUND_ROBIN, v1::LB_STRATEGY_RANDOM, v1::LB_STRATEGY_LEAST_REQUEST}) {
    auto spec = std::make_shared<ClusterSpec>();
    spec->lb_strategy = strategy;
    spec->slow_start = io::Millis(10'000);
    const int64_t now = 3600 * kSecond;
    for (const int64_t made : {int64_t{0}, now}) {
      spec->endpoints.emplace_back().health = std::make_shared<EndpointHealth>(true, made);
    }
    PoolSet pools;
    observe::ClusterStats stats;
    io::Reactor reactor;
    Cluster cluster(spec, {reactor, pools, stats, 1});
    const auto share = [&](int64_t at) {
      int picked = 0;
      for (int i = 0; i < 2200; ++i) {
        cluster.BeginRequest(at);
        Cluster::Load load;
        picked += cluster.Enter({0, {}}, false, &load);
      }
      return picked;
    };
    EXPECT_NEAR(share(now), 200, 60) << v1::LbStrategy_Name(strategy);
    EXPECT_NEAR(share(now + 9 * kSecond), 1100, 110) << v1::LbStrategy_Name(strategy);
  }
}

}  // namespace
}  // namespace sluice::upstream
