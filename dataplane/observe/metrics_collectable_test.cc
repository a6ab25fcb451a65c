#include "dataplane/observe/metrics_collectable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "common/base/testing_reference.h"
#include "dataplane/observe/metrics_table.h"

namespace sluice::observe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

MetricsSources AllSources() {
  return {.endpoints =
              [] {
                return std::vector<EndpointGauge>{{"backend", "10.0.0.1:80", true},
                                                  {"backend", "10.0.0.2:80", true},
                                                  {"backend", "10.0.0.2:80", false}};
              },
          .ejections =
              [] {
                return std::vector<EjectionCount>{{"backend", "latency", 2}};
              },
          .panics =
              [] {
                return std::vector<PanicGauge>{{"backend", true}, {"calm", false}};
              },
          .snapshot =
              [] {
                return SnapshotGauges{42, 1.5, 0.25};
              },
          .overload =
              [] {
                return OverloadFigures{{{"memory", 1000, 3}, {"connections", UINT64_MAX, 0}}, true};
              },
          .access_log_dropped = [] { return uint64_t{7}; },
          .build_version = "1.2.3"};
}

void UseEverything(Registry& registry) {
  WorkerStats* worker = registry.AddWorker();
  RouteStats& route = worker->Route(registry.Route("web", "users", "backend"));
  route.requests[static_cast<size_t>(http::Method::kPost)][1].Add(3);
  route.requests[static_cast<size_t>(http::Method::kOther)][4].Add(1);
  route.duration.Observe(600);
  route.duration.Observe(90'000'000);
  route.response_body_bytes.Add(123);
  ListenerStats& listener = worker->Listener(registry.Listener("web"));
  listener.connections_active.Add(5);
  listener.failures[static_cast<size_t>(http::Failure::kNoRoute)].Add(2);
  worker->Cluster(registry.Cluster("backend")).connections_idle.Add(4);
}

TEST(MetricsCollectableTest, RendersSeriesWithTheirLabels) {
  Registry registry;
  UseEverything(registry);
  const std::string text = MetricsCollectable(registry, AllSources()).Render();
  const std::string route = "service=\"web\",route=\"users\",upstream=\"backend\"";
  for (const std::string& line :
       {"sluice_requests_total{" + route + ",method=\"POST\",code_class=\"2xx\"} 3\n",
        "sluice_requests_total{" + route + ",method=\"other\",code_class=\"5xx\"} 1\n",
        "sluice_request_duration_seconds_count{" + route + "} 2\n",
        "sluice_request_duration_seconds_bucket{" + route + ",le=\"+Inf\"} 2\n",
        "sluice_response_body_bytes_total{" + route + "} 123\n",
        std::string("sluice_connections_active{service=\"web\"} 5\n"),
        std::string("sluice_failures_total{service=\"web\",code=\"no_route\"} 2\n"),
        std::string("sluice_upstream_connections_idle{upstream=\"backend\"} 4\n"),
        std::string("sluice_endpoint_healthy{upstream=\"backend\",endpoint=\"10.0.0.1:80\"} 1\n"),
        std::string("sluice_endpoint_healthy{upstream=\"backend\",endpoint=\"10.0.0.2:80\"} 0\n"),
        std::string("sluice_upstream_panic{upstream=\"backend\"} 1\n"),
        std::string("sluice_upstream_panic{upstream=\"calm\"} 0\n"),
        std::string("sluice_snapshot_revision 42\n"),
        std::string("sluice_snapshot_apply_seconds 0.25\n"),
        std::string("sluice_access_log_dropped_total 7\n"),
        std::string("sluice_overload_limit{resource=\"memory\"} 1000\n"),
        std::string("sluice_overload_limit{resource=\"connections\"} +Inf\n"),
        std::string("sluice_overload_shed_total{resource=\"memory\"} 3\n"),
        std::string("sluice_overload_shedding 1\n"),
        std::string("sluice_build_info{version=\"1.2.3\"} 1\n"),
        std::string("# TYPE process_cpu_seconds_total counter\n")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("method=\"GET\"")));
}

TEST(MetricsCollectableTest, HistogramBucketsAreCumulativeInSeconds) {
  Registry registry;
  UseEverything(registry);
  for (const auto& family : MetricsCollectable(registry, {}).Collect()) {
    if (family.name != "sluice_request_duration_seconds") continue;
    const auto& histogram = family.metric.at(0).histogram;
    ASSERT_EQ(histogram.bucket.size(), kLatencyBucketCount);
    EXPECT_DOUBLE_EQ(histogram.bucket[0].upper_bound, 0.0005);
    EXPECT_EQ(histogram.bucket[0].cumulative_count, 0u);
    EXPECT_EQ(histogram.bucket[1].cumulative_count, 1u);
    EXPECT_EQ(histogram.bucket[kLatencyBucketCount - 2].cumulative_count, 1u);
    EXPECT_EQ(histogram.bucket[kLatencyBucketCount - 1].cumulative_count, 2u);
    EXPECT_DOUBLE_EQ(histogram.sample_sum, 90.0006);
    return;
  }
  FAIL() << "no histogram";
}

TEST(MetricsCollectableTest, UnusedRoutesAndAbsentSourcesCostNothing) {
  Registry registry;
  registry.AddWorker();
  for (int i = 0; i < 10'000; ++i) registry.Route("web", "r" + std::to_string(i), "u");
  const std::string text = MetricsCollectable(registry, {}).Render();
  EXPECT_LT(text.size(), 4096u);
  EXPECT_THAT(text, Not(HasSubstr("sluice_snapshot")));
  EXPECT_THAT(text, Not(HasSubstr("sluice_endpoint")));
}

TEST(MetricsCollectableTest, NamesWithQuotesAreEscaped) {
  Registry registry;
  registry.AddWorker()->Cluster(registry.Cluster("a\"b\\c\nd"));
  EXPECT_THAT(MetricsCollectable(registry, {}).Render(),
              HasSubstr("{upstream=\"a\\\"b\\\\c\\nd\"}"));
}

TEST(MetricsCollectableTest, PromtoolFindsNothingToSay) {
  if (std::system("promtool --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool";
  Registry registry;
  UseEverything(registry);
  const std::string path = ::testing::TempDir() + "sluice_metrics_" + std::to_string(getpid());
  std::ofstream(path) << MetricsCollectable(registry, AllSources()).Render();
  FILE* promtool = popen(("promtool check metrics < " + path + " 2>&1").c_str(), "r");
  ASSERT_NE(promtool, nullptr);
  std::string said;
  for (int c; (c = std::fgetc(promtool)) != EOF;) said += static_cast<char>(c);
  const int status = pclose(promtool);
  std::remove(path.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 0) << said;
  EXPECT_EQ(said, "");
}

TEST(MetricsTableTest, ReferenceIsCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/metrics.md", MetricsReference()));
}

TEST(MetricsTableTest, EveryRowOfTheTableIsCollectedWhenUsed) {
  Registry registry;
  UseEverything(registry);
  const auto families = MetricsCollectable(registry, AllSources()).Collect();
  ASSERT_EQ(families.size(), kMetricCount);
  for (size_t i = 0; i < kMetricCount; ++i) {
    EXPECT_EQ(families[i].name, MetricTable()[i].name);
    EXPECT_FALSE(families[i].help.empty());
  }
}

}  // namespace
}  // namespace sluice::observe
