// What a chunk costs that is decoded in place and joined with its neighbours.
#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/body_reader.h"
#include "dataplane/http/chunks_for_bench.h"

namespace sluice::http {
namespace {

// Includes a copy of the bytes, which are rewritten in place.
void ReadChunkedBody(benchmark::State& state) {
  const std::string bytes = Chunks(static_cast<size_t>(state.range(0)));
  std::string buffer;
  BodyReader reader;
  for (auto _ : state) {
    buffer.assign(bytes);
    reader.Start(Framing::kChunked, 0, {});
    const BodyReader::Step step = reader.Take(buffer.data(), buffer.size());
    if (step.data.size() != kBodyBytes) state.SkipWithError("refused");
  }
  CountChunks(state);
}
BENCHMARK(ReadChunkedBody)->Arg(1)->Arg(64)->Arg(4096);

}  // namespace
}  // namespace sluice::http
