#include "dataplane/observe/traffic_by_version.h"

#include <gtest/gtest.h>

#include "common/traffic/version_traffic.h"

namespace sluice::observe {
namespace {

using Traffic = google::protobuf::RepeatedPtrField<v1::VersionTraffic>;

v1::Version VersionOf(uint64_t revision) {
  v1::Version version;
  version.set_revision(revision);
  version.set_root("root " + std::to_string(revision));
  return version;
}

// `requests` answered in time, `errors` of them by 503 and slowly.
Totals TotalsOf(uint64_t requests, uint64_t errors) {
  Totals totals;
  totals.requests = requests;
  totals.responses_by_class[1] = requests - errors;
  totals.responses_by_class[4] = errors;
  totals.latency_cumulative.fill(requests);
  for (size_t i = 0; i < 8; ++i) totals.latency_cumulative[i] = requests - errors;
  return totals;
}

Traffic FillOf(const TrafficByVersion& traffic, const Totals& totals) {
  Traffic out;
  traffic.Fill(totals, &out);
  return out;
}

TEST(TrafficByVersionTest, BeforeTheFirstVersionThereIsNone) {
  EXPECT_TRUE(FillOf(TrafficByVersion(), TotalsOf(5, 0)).empty());
  EXPECT_EQ(TrafficByVersion().RequestsOfCurrent(TotalsOf(5, 0)), 5u);
}

TEST(TrafficByVersionTest, CountsFromTheMomentAVersionIsEffective) {
  TrafficByVersion traffic;
  traffic.Begin(VersionOf(1), TotalsOf(0, 0), 1'000);
  traffic.Begin(VersionOf(2), TotalsOf(100, 3), 5'000);
  const Traffic out = FillOf(traffic, TotalsOf(150, 13));
  ASSERT_EQ(out.size(), 2);
  EXPECT_EQ(out[0].version().revision(), 2u);
  EXPECT_EQ(out[0].effective_unix_ms(), 5'000u);
  EXPECT_EQ(out[0].superseded_unix_ms(), 0u);
  EXPECT_EQ(out[0].requests(), 50u);
  EXPECT_EQ(out[0].responses_by_class(4), 10u);
  EXPECT_EQ(traffic.RequestsOfCurrent(TotalsOf(150, 13)), 50u);
  EXPECT_EQ(out[1].version().root(), "root 1");
  EXPECT_EQ(out[1].effective_unix_ms(), 1'000u);
  EXPECT_EQ(out[1].superseded_unix_ms(), 5'000u);
  EXPECT_EQ(out[1].requests(), 100u);
  EXPECT_EQ(out[1].responses_by_class(4), 3u);

  // Ten of fifty lie beyond 100 ms: the percentile is of this version alone.
  const v1::VersionTrafficFigures figures = traffic::FiguresOf(out[0], 10'000);
  EXPECT_DOUBLE_EQ(figures.error_ratio(), 0.2);
  EXPECT_GT(figures.p99_ms(), 100.0);
}

TEST(TrafficByVersionTest, OldVersionsAreForgotten) {
  TrafficByVersion traffic;
  for (uint64_t i = 1; i <= 10; ++i) traffic.Begin(VersionOf(i), TotalsOf(i * 10, 0), 1'000);
  const Traffic out = FillOf(traffic, TotalsOf(200, 0));
  ASSERT_EQ(out.size(), static_cast<int>(TrafficByVersion::kVersionsMax));
  EXPECT_EQ(out[0].version().revision(), 10u);
  EXPECT_EQ(out[0].requests(), 100u);
  EXPECT_EQ(out[3].version().revision(), 7u);
  EXPECT_EQ(out[3].requests(), 10u);
}

}  // namespace
}  // namespace sluice::observe
