#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "dataplane/upstream/balancer.h"

namespace sluice::upstream {
namespace {

void PickOne(benchmark::State& state, v1::LbStrategy strategy, bool weighted) {
  const auto count = static_cast<uint32_t>(state.range(0));
  EndpointHealth health(true);
  std::vector<EndpointLoad> endpoints;
  std::vector<std::string> identities;
  for (uint32_t i = 0; i < count; ++i) {
    endpoints.push_back({.health = &health, .weight = weighted ? 1 + i % 7 : 1});
    identities.push_back("10.0.0." + std::to_string(i));
  }
  Balancer balancer(strategy, endpoints, identities, 50, 1);
  const TriedEndpoints none;
  uint64_t hash = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(balancer.Pick(hash++, none));
  }
}

BENCHMARK_CAPTURE(PickOne, LeastRequest, v1::LB_STRATEGY_LEAST_REQUEST, false)
    ->Arg(1)
    ->Arg(3)
    ->Arg(64)
    ->Arg(1000);
BENCHMARK_CAPTURE(PickOne, LeastRequestWeighted, v1::LB_STRATEGY_LEAST_REQUEST, true)
    ->Arg(3)
    ->Arg(64)
    ->Arg(1000);
BENCHMARK_CAPTURE(PickOne, RoundRobin, v1::LB_STRATEGY_ROUND_ROBIN, false)
    ->Arg(1)
    ->Arg(3)
    ->Arg(64)
    ->Arg(1000);
BENCHMARK_CAPTURE(PickOne, RoundRobinWeighted, v1::LB_STRATEGY_ROUND_ROBIN, true)
    ->Arg(3)
    ->Arg(64)
    ->Arg(1000);
BENCHMARK_CAPTURE(PickOne, Random, v1::LB_STRATEGY_RANDOM, false)->Arg(1)->Arg(3)->Arg(1000);
BENCHMARK_CAPTURE(PickOne, RandomWeighted, v1::LB_STRATEGY_RANDOM, true)->Arg(3)->Arg(1000);
BENCHMARK_CAPTURE(PickOne, Maglev, v1::LB_STRATEGY_HASH, false)->Arg(1)->Arg(3)->Arg(1000);

}  // namespace
}  // namespace sluice::upstream
