// What a chunk costs.
#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/chunked.h"
#include "dataplane/http/h1_serializer.h"

namespace sluice::http {
namespace {

constexpr size_t kBodyBytes = 16 * 1024;

std::string Chunks(size_t chunk_bytes) {
  std::string bytes;
  char size_line[kChunkSizeLineMax];
  for (size_t i = 0; i < kBodyBytes / chunk_bytes; ++i) {
    bytes.append(size_line, WriteChunkSizeLine(chunk_bytes, size_line));
    bytes.append(chunk_bytes, 'x').append("\r\n");
  }
  return bytes + "0\r\n\r\n";
}

void CountChunks(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBodyBytes) / state.range(0));
}

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
