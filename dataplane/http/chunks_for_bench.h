// A chunked body, and a benchmark's count of its chunks.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/h1_serializer.h"

namespace sluice::http {

inline constexpr size_t kBodyBytes = 16 * 1024;

// In chunks of so many bytes.
inline std::string Chunks(size_t chunk_bytes) {
  std::string bytes;
  char size_line[kChunkSizeLineMax];
  for (size_t i = 0; i < kBodyBytes / chunk_bytes; ++i) {
    bytes.append(size_line, WriteChunkSizeLine(chunk_bytes, size_line));
    bytes.append(chunk_bytes, 'x').append("\r\n");
  }
  return bytes + "0\r\n\r\n";
}

inline void CountChunks(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBodyBytes) / state.range(0));
}

}  // namespace sluice::http
