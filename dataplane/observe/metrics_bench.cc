#include <benchmark/benchmark.h>

#include "dataplane/observe/metrics.h"

namespace sluice::observe {
namespace {

// What one request counts on its route.
void CountOneRequest(benchmark::State& state) {
  Registry registry;
  WorkerStats* stats = registry.AddWorker();
  const Slot slot = registry.Route("api-gateway", "users", "users-service");
  uint64_t micros = 0;
  for (auto _ : state) {
    RouteStats& route = stats->Route(slot);
    route.requests[static_cast<size_t>(http::Method::kGet)][ClassOf(200)].Add();
    route.duration.Observe(micros = (micros + 997) % 40'000);
    route.response_body_bytes.Add(1024);
    stats->requests_total.Add();
  }
}
BENCHMARK(CountOneRequest);

void SumForScrape(benchmark::State& state) {
  Registry registry;
  WorkerStats* stats = registry.AddWorker();
  for (int64_t i = 0; i < state.range(0); ++i) {
    stats->Route(registry.Route("api", "route-" + std::to_string(i), "up")).duration.Observe(5);
  }
  for (auto _ : state) {
    registry.VisitRoutes([](const RouteSums& sums) { benchmark::DoNotOptimize(&sums); });
  }
}
BENCHMARK(SumForScrape)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace sluice::observe
