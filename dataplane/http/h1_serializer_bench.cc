// What writing a head of ten fields costs.
#include <benchmark/benchmark.h>

#include "dataplane/http/h1_serializer.h"

namespace sluice::http {
namespace {

void WriteResponseHead(benchmark::State& state) {
  char block[4096];
  for (auto _ : state) {
    HeadWriter writer(block, sizeof block);
    writer.StatusLine(static_cast<uint16_t>(state.range(0)), "");
    for (int i = 0; i < 9; ++i) writer.Field("X-Some-Field", "with a value of ordinary length");
    writer.Append("Content-Length: ");
    writer.Number(16384);
    writer.Crlf();
    writer.Crlf();
    benchmark::DoNotOptimize(writer.view());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(WriteResponseHead)->Arg(200)->Arg(404);

void WriteChunkSizes(benchmark::State& state) {
  char line[kChunkSizeLineMax];
  size_t bytes = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(WriteChunkSizeLine(bytes, line));
    bytes = bytes * 5 & 0xfffff;
  }
}
BENCHMARK(WriteChunkSizes);

}  // namespace
}  // namespace sluice::http
