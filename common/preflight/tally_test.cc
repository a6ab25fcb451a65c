#include "common/preflight/tally.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::preflight {
namespace {

using ::testing::ElementsAre;

void Add(Tally& tally, const Change& change, std::string example) {
  tally.AddChanged(change, [&example] { return example; });
}

TEST(TallyTest, ChangesAreCountedByWhatBecomesOfThem) {
  Tally tally;
  for (int i = 0; i < 5; ++i) tally.AddSame();
  const Change gone{.service = "web", .route = "old", .kind = v1::PreflightChange::UNMATCHED};
  const Change moved{
      .service = "web", .route = "all", .kind = v1::PreflightChange::REDIRECTED, .target = "301"};
  Add(tally, moved, "GET a/1");
  for (int i = 0; i < 4; ++i) Add(tally, gone, fmt::format("GET a/old/{}", i / 2));
  const v1::PreflightReport report = tally.ToReport();
  EXPECT_EQ(report.requests(), 10u);
  EXPECT_EQ(report.changed(), 5u);
  ASSERT_EQ(report.changes_size(), 2);
  EXPECT_EQ(report.changes(0).route(), "old") << "the most frequent first";
  EXPECT_EQ(report.changes(0).requests(), 4u);
  EXPECT_THAT(report.changes(0).examples(), ElementsAre("GET a/old/0", "GET a/old/1"));
  EXPECT_EQ(report.changes(1).target(), "301");
}

TEST(TallyTest, MoreKindsThanThereIsRoomForAreOnlyCounted) {
  Tally tally;
  for (size_t i = 0; i < Tally::kChangesMax + 7; ++i) {
    const std::string route = fmt::format("r{}", i);
    Add(tally, {.service = "web", .route = route, .kind = v1::PreflightChange::UNMATCHED}, "x");
  }
  const v1::PreflightReport report = tally.ToReport();
  EXPECT_EQ(static_cast<size_t>(report.changes_size()), Tally::kChangesMax);
  EXPECT_EQ(report.unlisted(), 7u);
  EXPECT_EQ(report.changed(), Tally::kChangesMax + 7);
}

TEST(TallyTest, LongTextsAreCutBetweenCharacters) {
  Tally tally;
  const std::string path = std::string(Tally::kTextMax - 1, 'p') + "ü";
  Add(tally, {.service = "web", .kind = v1::PreflightChange::MATCHED, .target = "all"}, path);
  EXPECT_THAT(tally.ToReport().changes(0).examples(),
              ElementsAre(std::string(Tally::kTextMax - 1, 'p')));
}

TEST(TallyTest, ReportsOfManyAddUp) {
  Tally one, other;
  const Change change{.service = "web", .route = "all", .kind = v1::PreflightChange::REFUSED};
  Add(one, change, "GET a/1");
  Add(other, change, "GET a/2");
  other.AddSame();
  Tally all;
  all.Merge(one.ToReport());
  all.Merge(other.ToReport());
  const v1::PreflightReport report = all.ToReport();
  EXPECT_EQ(report.requests(), 3u);
  EXPECT_EQ(report.changed(), 2u);
  ASSERT_EQ(report.changes_size(), 1);
  EXPECT_EQ(report.changes(0).requests(), 2u);
  EXPECT_THAT(report.changes(0).examples(), ElementsAre("GET a/1", "GET a/2"));
}

TEST(TallyTest, AStrangersReportStaysWithinBounds) {
  v1::PreflightReport huge;
  for (int i = 0; i < 1000; ++i) {
    v1::PreflightChange& change = *huge.add_changes();
    change.set_route(std::string(5000, 'r') + std::to_string(i));
    change.set_target(fmt::format("t{}", i));
    change.set_requests(1);
    for (int e = 0; e < 50; ++e)
      change.add_examples(std::string(5000, static_cast<char>('a' + e % 26)));
  }
  Tally tally;
  tally.Merge(huge);
  const v1::PreflightReport report = tally.ToReport();
  EXPECT_EQ(static_cast<size_t>(report.changes_size()), Tally::kChangesMax);
  EXPECT_EQ(report.unlisted(), 1000 - Tally::kChangesMax);
  EXPECT_LT(report.ByteSizeLong(), 500'000u);
}

}  // namespace
}  // namespace sluice::preflight
