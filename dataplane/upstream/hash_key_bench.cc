#include <benchmark/benchmark.h>

#include "dataplane/upstream/hash_key.h"

namespace sluice::upstream {
namespace {

void Key(benchmark::State& state, const char* hash_on) {
  http::RequestHead head;
  head.fields.push_back({"Accept", "text/html"});
  head.fields.push_back({"X-User", "4711"});
  head.fields.push_back({"Cookie", "theme=dark; session=018f3e2a7c1b7def8a3b1c2d3e4f5a6b"});
  const HashKey key(hash_on);
  const HashInput input{"203.0.113.7", "/api/v1/users/123", "page=2&user=4711", &head};
  for (auto _ : state) benchmark::DoNotOptimize(key.Of(input));
}
BENCHMARK_CAPTURE(Key, ClientIp, "client_ip");
BENCHMARK_CAPTURE(Key, Header, "header:X-User");
BENCHMARK_CAPTURE(Key, Cookie, "cookie:session");
BENCHMARK_CAPTURE(Key, Query, "query:user");

}  // namespace
}  // namespace sluice::upstream
