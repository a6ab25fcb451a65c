#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/route/host_path_index.h"
#include "common/route/route_table.h"

namespace {

using sluice::route::RouteTable;

sluice::v1::RouteTable Routes(int64_t count) {
  sluice::v1::RouteTable table;
  for (int64_t i = 0; i < count; ++i) {
    sluice::v1::Route* route = table.add_routes();
    route->set_name("route-" + std::to_string(i));
    if (i % 4 == 3) route->set_host("www" + std::to_string(i % 100) + ".example.com");
    route->set_path_prefix("/api/v1/service-" + std::to_string(i));
    route->mutable_forward()->add_clusters()->set_cluster("cluster");
  }
  return table;
}

// Asks for one route again and again: the work without cache misses.
void FindOne(benchmark::State& state) {
  const RouteTable table(Routes(state.range(0)));
  const std::string path =
      "/api/v1/service-" + std::to_string(state.range(0) / 8 * 4) + "/users/42";
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.Find({.host = "www.example.com", .path = path}));
  }
  state.counters["bytes/route"] =
      static_cast<double>(table.memory_bytes()) / static_cast<double>(state.range(0));
}
BENCHMARK(FindOne)->Arg(1)->Arg(10)->Arg(1000)->Arg(10'000);

// Asks for all of them in random order: with cache misses.
void FindAny(benchmark::State& state) {
  const RouteTable table(Routes(state.range(0)));
  std::vector<std::string> paths;
  sluice::base::Random random(1);
  for (int i = 0; i < 4096; ++i) {
    const uint64_t route = random.Below(static_cast<uint64_t>(state.range(0)));
    paths.push_back("/api/v1/service-" + std::to_string(route) + "/users/42");
  }
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        table.Find({.host = "www7.example.com", .path = paths[next++ % paths.size()]}));
  }
}
BENCHMARK(FindAny)->Arg(1)->Arg(10)->Arg(1000)->Arg(10'000);

// The index alone, below its one host.
void FindInIndex(benchmark::State& state) {
  sluice::route::HostPathIndex index;
  for (uint32_t i = 0; i < static_cast<uint32_t>(state.range(0)); ++i) {
    index.Add("", "/api/v1/service-" + std::to_string(i), i);
  }
  index.Finish();
  for (auto _ : state) {
    benchmark::DoNotOptimize(index.Find("www.example.com", "/api/v1/service-7/users/42"));
  }
}
BENCHMARK(FindInIndex)->Arg(10)->Arg(10'000);

void Build(benchmark::State& state) {
  const sluice::v1::RouteTable routes = Routes(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(RouteTable(routes));
}
BENCHMARK(Build)->Arg(10)->Arg(10'000)->Unit(benchmark::kMicrosecond);

void Unreachable(benchmark::State& state) {
  const RouteTable table(Routes(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(table.Unreachable());
}
BENCHMARK(Unreachable)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
