#include "tools/fleetsim/observer.h"

#include <gtest/gtest.h>

#include "tools/fleetsim/figures.h"

namespace sluice::fleetsim {
namespace {

constexpr int64_t kLater = Observer::kSettledForUs;

TEST(ObserverTest, TheStartAndEveryOutageHaveTheirTime) {
  Observer observer({Conduct::kGood, Conduct::kGood, Conduct::kFlapping, Conduct::kSilent}, 1000);
  observer.OnWelcome(0, 2000);
  observer.Poll(2000 + kLater);
  EXPECT_EQ(observer.figures().outages.back().settled_us, 0) << "one is still awaited";
  observer.OnWelcome(1, 5000);
  observer.Poll(5001);
  EXPECT_EQ(observer.figures().outages.back().settled_us, 0) << "an offer may follow";
  observer.OnOffer(1, 1, 5002);
  observer.OnEffective(1, 1, 9000);
  observer.Poll(9000 + kLater);
  ASSERT_EQ(observer.figures().outages.size(), 1u);
  EXPECT_EQ(observer.figures().outages[0].settled_us, 9000);

  observer.OnWelcome(2, 1'000'000);
  observer.OnLost(2, 1'000'001);  // That is what it does.
  EXPECT_EQ(observer.figures().outages.size(), 1u);

  observer.OnLost(0, 2'000'000);
  observer.OnLost(1, 2'000'500);
  observer.OnWelcome(1, 2'001'000);
  observer.OnWelcome(0, 2'700'000);
  observer.Poll(2'700'000 + kLater);
  ASSERT_EQ(observer.figures().outages.size(), 2u);
  EXPECT_EQ(observer.figures().outages[1].began_us, 2'000'000);
  EXPECT_EQ(observer.figures().outages[1].settled_us, 2'700'000);
  EXPECT_EQ(observer.figures().outages[1].streams_lost, 2);
}

TEST(ObserverTest, OffersAreNoOutage) {
  Observer observer({Conduct::kGood}, 0);
  observer.OnWelcome(0, 1);
  observer.Poll(1 + kLater);
  observer.OnOffer(0, 1, 1'000'000);
  observer.Poll(9'000'000);
  EXPECT_FALSE(observer.figures().nodes[0].settled());
  observer.OnRejected(0, 9'000'001);
  EXPECT_TRUE(observer.figures().nodes[0].settled());
  EXPECT_EQ(observer.figures().outages.size(), 1u);
}

TEST(ObserverTest, OldVersionsAreForgotten) {
  Observer observer({Conduct::kGood}, 0);
  for (uint64_t revision = 1; revision <= Observer::kVersionsMax + 5; ++revision) {
    observer.OnOffer(0, revision, static_cast<int64_t>(revision));
  }
  EXPECT_EQ(observer.figures().versions.size(), Observer::kVersionsMax);
  EXPECT_EQ(observer.figures().versions.begin()->first, 6u);
}

TEST(FiguresTest, PercentilesAreByNearestRank) {
  EXPECT_EQ(PercentilesOf({}).max, 0);
  EXPECT_EQ(PercentilesOf({7}).p50, 7);
  std::vector<double> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(1001 - i);
  const Percentiles percentiles = PercentilesOf(values);
  EXPECT_EQ(percentiles.p50, 500);
  EXPECT_EQ(percentiles.p99, 990);
  EXPECT_EQ(percentiles.max, 1000);
}

TEST(FiguresTest, TimesCountFromTheFirstOfferAnywhere) {
  Observer observer({Conduct::kGood, Conduct::kGood}, 0);
  observer.OnWelcome(0, 0);
  observer.OnWelcome(1, 0);
  observer.OnReceived(0, 300, true);
  observer.OnReceived(0, 20, false);
  observer.OnOffer(0, 3, 10'000);
  observer.OnOffer(1, 3, 15'000);
  observer.OnEffective(0, 3, 20'000);
  observer.OnEffective(1, 3, 40'000);
  const nlohmann::json json = ToJson(observer.figures());
  EXPECT_EQ(json["connected"], 2);
  EXPECT_EQ(json["settled"], 2);
  EXPECT_EQ(json["revisions"]["3"], 2);
  EXPECT_EQ(json["received_bytes"], 320);
  EXPECT_EQ(json["snapshot_bytes"], 300);
  const nlohmann::json& version = json["versions"][0];
  EXPECT_EQ(version["effective"], 2);
  EXPECT_EQ(version["first_offer_unix_ms"], 10.0);
  EXPECT_EQ(version["effective_ms"]["p50"], 10.0);
  EXPECT_EQ(version["effective_ms"]["max"], 30.0);
  EXPECT_NE(ToText(observer.figures()).find("version 3: effective on 2 of 2 offered"),
            std::string::npos);
}

}  // namespace
}  // namespace sluice::fleetsim
