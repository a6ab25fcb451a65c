#include "dataplane/upstream/cluster.h"

#include <gtest/gtest.h>

namespace sluice::upstream {
namespace {

class RetryBudgetTest : public testing::Test {
 protected:
  static std::shared_ptr<const ClusterSpec> Spec(uint32_t percent) {
    auto spec = std::make_shared<ClusterSpec>();
    spec->retry_budget_percent = percent;
    EndpointSpec& endpoint = spec->endpoints.emplace_back();
    endpoint.health = std::make_shared<EndpointHealth>(true);
    return spec;
  }
  int TakeAll(Cluster& cluster) {
    int taken = 0;
    while (cluster.TakeRetry()) ++taken;
    return taken;
  }

  ClusterHome Home(uint32_t workers = 1) { return {reactor_, pools_, stats_, 1, workers}; }

  io::Reactor reactor_;
  PoolSet pools_;
  observe::ClusterStats stats_;
};

TEST_F(RetryBudgetTest, AFifthOfTheRequests) {
  Cluster cluster(Spec(20), Home());
  cluster.BeginRequest(0);
  TakeAll(cluster);
  for (int i = 0; i < 25; ++i) cluster.BeginRequest(0);
  EXPECT_EQ(TakeAll(cluster), 5);
  EXPECT_EQ(stats_.retries_refused_total.Get(), 2u);
}

TEST_F(RetryBudgetTest, TimeEarnsTenASecond) {
  Cluster cluster(Spec(20), Home());
  cluster.BeginRequest(0);
  TakeAll(cluster);
  cluster.BeginRequest(350'000);
  EXPECT_EQ(TakeAll(cluster), 3);
  cluster.BeginRequest(60'000'000);
  EXPECT_EQ(TakeAll(cluster), 10) << "no more than can be saved";
}

TEST_F(RetryBudgetTest, WorkersShareWhatTimeEarns) {
  Cluster cluster(Spec(20), Home(4));
  cluster.BeginRequest(0);
  TakeAll(cluster);
  cluster.BeginRequest(350'000);
  EXPECT_EQ(TakeAll(cluster), 0);
  cluster.BeginRequest(1'200'000);
  EXPECT_EQ(TakeAll(cluster), 3) << "two and a half by time, and by the requests";
}

TEST_F(RetryBudgetTest, SavesAsManyAsAreUnderWay) {
  Cluster cluster(Spec(20), Home());
  std::vector<Cluster::Load> loads(300);
  for (Cluster::Load& load : loads) ASSERT_EQ(cluster.Enter({0, {}}, false, &load), 0);
  for (int i = 0; i < 10'000; ++i) cluster.BeginRequest(0);
  EXPECT_EQ(TakeAll(cluster), 300);
}

TEST_F(RetryBudgetTest, HedgesComeOutOfIt) {
  Cluster cluster(Spec(20), Home());
  cluster.BeginRequest(0);
  TakeAll(cluster);
  for (int i = 0; i < 5; ++i) cluster.BeginRequest(0);
  EXPECT_TRUE(cluster.TakeHedge());
  EXPECT_FALSE(cluster.TakeHedge());
  EXPECT_FALSE(cluster.TakeRetry());
  EXPECT_EQ(stats_.hedges_total.Get(), 1u);
}

TEST_F(RetryBudgetTest, ZeroMeansNone) {
  Cluster cluster(Spec(0), Home());
  cluster.BeginRequest(60'000'000);
  EXPECT_FALSE(cluster.TakeRetry());
}

}  // namespace
}  // namespace sluice::upstream
