#include <benchmark/benchmark.h>

#include "common/route/path.h"

namespace {

void Normalize(benchmark::State& state, std::string_view path) {
  std::string scratch;
  std::string_view out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(path);
    benchmark::DoNotOptimize(sluice::route::NormalizePath(path, &scratch, &out));
    benchmark::DoNotOptimize(out);
  }
}

BENCHMARK_CAPTURE(Normalize, plain_10_bytes, "/api/users");
BENCHMARK_CAPTURE(Normalize, plain_30_bytes, "/api/v1/users/1234567/profile/");
BENCHMARK_CAPTURE(Normalize, plain_120_bytes,
                  "/api/v1/users/1234567/profile/api/v1/users/1234567/profile/"
                  "api/v1/users/1234567/profile/api/v1/users/1234567/profile/ab");
BENCHMARK_CAPTURE(Normalize, with_triplets, "/files/a%20b%20c/%E4%B8%AD.txt");
BENCHMARK_CAPTURE(Normalize, with_dot_segments, "/api/v1/../v2/./users/1234567/");

}  // namespace
