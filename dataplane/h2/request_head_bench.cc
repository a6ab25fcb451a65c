#include <benchmark/benchmark.h>

#include "dataplane/h2/request_head.h"

namespace sluice::h2 {
namespace {

// What a browser sends, from the callbacks' copies to the head an exchange works on.
void RequestHeadOfABrowser(benchmark::State& state) {
  FieldBlock block;
  std::string cookie;
  PseudoFields pseudo;
  http::RequestHead head;
  for (auto _ : state) {
    block.Clear();
    block.Add(":method", "GET");
    block.Add(":scheme", "https");
    block.Add(":authority", "www.example.org");
    block.Add(":path", "/images/logo.png?v=17");
    block.Add("user-agent",
              "Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/102.0");
    block.Add("accept", "image/avif,image/webp,*/*");
    block.Add("accept-language", "en-US,en;q=0.5");
    block.Add("accept-encoding", "gzip, deflate, br");
    block.Add("cookie", "session=0123456789abcdef");
    block.Add("cookie", "theme=dark");
    benchmark::DoNotOptimize(
        ReadRequestHead(block, {.target_bytes_max = 16384}, true, &cookie, &pseudo, &head));
  }
}
BENCHMARK(RequestHeadOfABrowser);

}  // namespace
}  // namespace sluice::h2
