#include <benchmark/benchmark.h>

#include "dataplane/io/buffer.h"

namespace sluice::io {
namespace {

// What a request does: a block is taken, filled, consumed and given back.
void LendAndReturn(benchmark::State& state) {
  BufferPool pool;
  for (auto _ : state) {
    Buffer buffer(pool);
    buffer.Reserve(static_cast<size_t>(state.range(0)));
    benchmark::DoNotOptimize(buffer.tail());
    buffer.Filled(200);
    buffer.Consume(200);
  }
}
BENCHMARK(LendAndReturn)->Arg(BufferPool::kSmallBytes)->Arg(BufferPool::kLargeBytes);

}  // namespace
}  // namespace sluice::io
