#include <benchmark/benchmark.h>

#include <string>

#include "common/base/hash.h"
#include "common/base/random.h"

namespace sluice::base {
namespace {

void Hash(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  uint64_t hash = 0;
  for (auto _ : state) benchmark::DoNotOptimize(hash = Hash64(bytes, hash));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Hash)->Arg(8)->Arg(32)->Arg(4096);

void RandomNext(benchmark::State& state) {
  Random random(1);
  for (auto _ : state) benchmark::DoNotOptimize(random.Next());
}
BENCHMARK(RandomNext);

}  // namespace
}  // namespace sluice::base
