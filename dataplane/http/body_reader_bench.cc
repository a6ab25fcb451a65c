// What a chunk costs that is decoded in place and joined with its neighbours.
#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/body_reader.h"
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
