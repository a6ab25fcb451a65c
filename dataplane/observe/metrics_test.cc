#include "dataplane/observe/metrics.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "common/base/process.h"
#include "dataplane/observe/slot_names.h"

namespace sluice::observe {
namespace {

constexpr auto kGet = static_cast<size_t>(http::Method::kGet);

std::vector<RouteSums> RoutesOf(const Registry& registry) {
  std::vector<RouteSums> routes;
  registry.VisitRoutes([&routes](const RouteSums& sums) { routes.push_back(sums); });
  return routes;
}

TEST(HistogramTest, ABoundBelongsToItsBucketAndTheRestToTheLast) {
  Histogram histogram;
  for (const uint64_t micros : {0, 500, 501, 1'000, 60'000'000, 60'000'001}) {
    histogram.Observe(micros);
  }
  EXPECT_EQ(histogram.buckets[0].Get(), 2u);
  EXPECT_EQ(histogram.buckets[1].Get(), 2u);
  EXPECT_EQ(histogram.buckets[kLatencyBucketCount - 2].Get(), 1u);
  EXPECT_EQ(histogram.buckets[kLatencyBucketCount - 1].Get(), 1u);
  EXPECT_EQ(histogram.sum_micros.Get(), 500u + 501 + 1'000 + 60'000'000 + 60'000'001);
}

TEST(ClassOfTest, StrangeStatusesCountAsServerErrors) {
  EXPECT_EQ(ClassOf(100), 0u);
  EXPECT_EQ(ClassOf(204), 1u);
  EXPECT_EQ(ClassOf(599), 4u);
  for (const uint32_t status : {0u, 99u, 600u, 65535u}) EXPECT_EQ(ClassOf(status), 4u);
}

TEST(RegistryTest, AddsUpWorkers) {
  Registry registry;
  WorkerStats* one = registry.AddWorker();
  WorkerStats* two = registry.AddWorker();
  const Slot slot = registry.Route("web", "users", "backend");
  one->Route(slot).requests[kGet][1].Add();
  two->Route(slot).requests[kGet][1].Add(2);
  two->Route(slot).duration.Observe(700);
  one->Route(slot).response_body_bytes.Add(10);

  const auto routes = RoutesOf(registry);
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0].service, "web");
  EXPECT_EQ(routes[0].route, "users");
  EXPECT_EQ(routes[0].upstream, "backend");
  EXPECT_EQ(routes[0].requests[kGet][1], 3u);
  EXPECT_EQ(routes[0].duration.buckets[1], 1u);
  EXPECT_EQ(routes[0].response_body_bytes, 10u);
}

TEST(RegistryTest, SumsListenersAndClusters) {
  Registry registry;
  WorkerStats* one = registry.AddWorker();
  WorkerStats* two = registry.AddWorker();
  const Slot listener = registry.Listener("web");
  const Slot cluster = registry.Cluster("backend");
  // Closed by another worker than the one that opened it.
  one->Listener(listener).connections_active.Add(3);
  two->Listener(listener).connections_active.Sub(2);
  one->Cluster(cluster).retries_total.Add(4);
  int visited = 0;
  registry.VisitListeners([&](const ListenerSums& sums) {
    ++visited;
    EXPECT_EQ(sums.service, "web");
    EXPECT_EQ(sums.connections_active, 1u);
  });
  registry.VisitClusters([&](const ClusterSums& sums) {
    ++visited;
    EXPECT_EQ(sums.upstream, "backend");
    EXPECT_EQ(sums.retries_total, 4u);
  });
  EXPECT_EQ(visited, 2);
}

TEST(RegistryTest, UnusedSlotsAreNotVisited) {
  Registry registry;
  WorkerStats* worker = registry.AddWorker();
  for (int i = 0; i < 1'000; ++i) registry.Route("web", "r" + std::to_string(i), "u");
  worker->Route(700).requests[kGet][1].Add();
  const auto routes = RoutesOf(registry);
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0].route, "r700");
}

TEST(RegistryTest, ASlotKeepsItsCountsAsLongAsSomebodyNamesIt) {
  Registry registry;
  WorkerStats* worker = registry.AddWorker();
  const Slot slot = registry.Route("web", "users", "backend");
  EXPECT_EQ(registry.Route("web", "users", "backend"), slot);
  EXPECT_NE(registry.Route("web", "users", "other"), slot);
  worker->Route(slot).requests[kGet][1].Add();
  registry.Release(SlotKind::kRoute, slot);
  EXPECT_EQ(RoutesOf(registry).size(), 1u);
  registry.Release(SlotKind::kRoute, slot);
  EXPECT_TRUE(RoutesOf(registry).empty());

  const Slot again = registry.Route("web", "orders", "backend");
  EXPECT_EQ(again, slot);  // Used again, from zero.
  EXPECT_EQ(worker->Route(again).requests[kGet][1].Get(), 0u);
}

TEST(RegistryTest, NamesThatRunTogetherAreKeptApart) {
  Registry registry;
  EXPECT_NE(registry.Route("a", "bc", ""), registry.Route("ab", "c", ""));
  EXPECT_NE(registry.Route("a", "", "b"), registry.Route("a", "b", ""));
}

TEST(RegistryTest, TotalsNeverGoBackWhenSeriesDisappear) {
  Registry registry;
  WorkerStats* worker = registry.AddWorker();
  const Slot route = registry.Route("web", "users", "backend");
  const Slot listener = registry.Listener("web");
  worker->requests_total.Add(2);
  worker->Route(route).requests[kGet][1].Add();
  worker->Route(route).requests[kGet][4].Add();
  worker->Route(route).duration.Observe(400);
  worker->Route(route).duration.Observe(2'000);
  worker->Listener(listener).bytes_sent.Add(100);
  worker->Listener(listener).connections_active.Add();
  const Totals before = registry.Sum();
  EXPECT_EQ(before.requests, 2u);
  EXPECT_EQ(before.responses_by_class[1], 1u);
  EXPECT_EQ(before.responses_by_class[4], 1u);
  EXPECT_EQ(before.latency_cumulative[0], 1u);
  EXPECT_EQ(before.latency_cumulative[1], 1u);
  EXPECT_EQ(before.latency_cumulative[2], 2u);
  EXPECT_EQ(before.latency_cumulative.back(), 2u);
  EXPECT_EQ(before.bytes_sent, 100u);
  EXPECT_EQ(before.connections_active, 1u);

  registry.Release(SlotKind::kRoute, route);
  registry.Release(SlotKind::kListener, listener);
  const Totals after = registry.Sum();
  EXPECT_EQ(after.responses_by_class, before.responses_by_class);
  EXPECT_EQ(after.latency_cumulative, before.latency_cumulative);
  EXPECT_EQ(after.bytes_sent, 100u);
  EXPECT_EQ(after.connections_active, 0u);
}

TEST(RegistryTest, ScrapesWhileWorkersCountAndSlotsComeAndGo) {
  constexpr int kWorkers = 3;
  constexpr uint64_t kRequests = 20'000;
  Registry registry;
  std::vector<Slot> slots;
  for (int i = 0; i < 600; ++i) {
    slots.push_back(registry.Route("web", "r" + std::to_string(i), "u"));
  }
  std::atomic<int> running{kWorkers};
  std::vector<std::thread> workers;
  for (int i = 0; i < kWorkers; ++i) {
    WorkerStats* worker = registry.AddWorker();
    workers.emplace_back([worker, &slots, &running] {
      for (uint64_t n = 0; n < kRequests; ++n) {
        worker->requests_total.Add();
        worker->Route(slots[n % slots.size()]).requests[kGet][1].Add();
      }
      --running;
    });
  }
  while (running > 0) {
    const Totals totals = registry.Sum();
    EXPECT_LE(totals.responses_by_class[1], kWorkers * kRequests);
    const Slot passing = registry.Route("web", "passing", "u");
    registry.Release(SlotKind::kRoute, passing);
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(registry.Sum().requests, kWorkers * kRequests);
  EXPECT_EQ(registry.Sum().responses_by_class[1], kWorkers * kRequests);
}

TEST(SlotNamesTest, NamesBeyondTheLimitShareTheLastSlot) {
  SlotNames names(4);
  const auto labels = [](int i) { return SlotLabels{"r" + std::to_string(i), "", ""}; };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(names.Acquire(labels(i)), static_cast<Slot>(i));
  EXPECT_EQ(names.Acquire(labels(3)), 3u);
  EXPECT_EQ(names.Acquire(labels(4)), 3u);
  EXPECT_EQ(names.labels(3)[0], kOverflowName);
  EXPECT_EQ(names.Acquire(labels(0)), 0u);

  EXPECT_FALSE(names.Release(3));
  EXPECT_FALSE(names.Release(3));  // Its counts belong to many names and stay.
  EXPECT_FALSE(names.Release(0));
  EXPECT_TRUE(names.Release(0));
  EXPECT_EQ(names.Acquire(labels(5)), 0u);
}

TEST(SlotNamesDeathTest, ReleasingTwiceIsOurMistake) {
  SlotNames names;
  const Slot slot = names.Acquire({"a", "", ""});
  names.Release(slot);
  EXPECT_DEATH(names.Release(slot), "broken invariant");
}

TEST(ProcessTest, TellsFiguresOfThisProcess) {
  const base::ProcessFigures figures = base::ReadProcessFigures();
  EXPECT_GT(figures.resident_bytes, 1u << 20);
  EXPECT_GE(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.open_files, 3u);
  EXPECT_GE(figures.open_files_max, figures.open_files);
  EXPECT_GE(figures.threads, 1u);
  EXPECT_GT(figures.cpu_seconds, 0);
  const double age = static_cast<double>(time(nullptr)) - figures.start_unix_seconds;
  EXPECT_GT(age, -2);
  EXPECT_LT(age, 3600);
}

}  // namespace
}  // namespace sluice::observe
