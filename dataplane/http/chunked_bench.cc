// What a chunk costs.
#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/chunked.h"
#include "dataplane/http/chunks_for_bench.h"

namespace sluice::http {
namespace {

void DecodeChunks(benchmark::State& state) {
  const std::string bytes = Chunks(static_cast<size_t>(state.range(0)));
  ChunkedDecoder decoder;
  for (auto _ : state) {
    decoder.Reset({});
    std::string_view rest = bytes;
    for (;;) {
      const ChunkedDecoder::Step step = decoder.Next(rest);
      rest.remove_prefix(step.consumed);
      if (step.state != ChunkedDecoder::State::kData) break;
      benchmark::DoNotOptimize(step.data);
    }
    if (!rest.empty()) state.SkipWithError("refused");
  }
  CountChunks(state);
}
BENCHMARK(DecodeChunks)->Arg(1)->Arg(64)->Arg(4096);

}  // namespace
}  // namespace sluice::http
