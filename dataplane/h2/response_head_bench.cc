#include <benchmark/benchmark.h>

#include "dataplane/h2/field_list.h"
#include "dataplane/h2/response_head.h"

namespace sluice::h2 {
namespace {

// What a web server sends.
void ResponseHeadOfAServer(benchmark::State& state) {
  FieldBlock block;
  http::ResponseHead head;
  for (auto _ : state) {
    block.Clear();
    block.Add(":status", "200");
    block.Add("server", "nginx");
    block.Add("date", "Mon, 23 Nov 2026 10:00:00 GMT");
    block.Add("content-type", "application/json");
    block.Add("content-length", "1024");
    block.Add("cache-control", "no-store");
    benchmark::DoNotOptimize(ReadResponseHead(block, http::Method::kGet, false, &head));
  }
}
BENCHMARK(ResponseHeadOfAServer);

// The same on its way to the client.
void ListOfAResponse(benchmark::State& state) {
  http::ResponseHead head;
  head.status = 200;
  head.framing = http::Framing::kLength;
  head.content_length = 1024;
  head.fields = {{"server", "nginx"},
                 {"date", "Mon, 23 Nov 2026 10:00:00 GMT"},
                 {"content-type", "application/json"},
                 {"cache-control", "no-store"}};
  for (auto _ : state) {
    const FieldList list(head);
    benchmark::DoNotOptimize(list.fields().data());
  }
}
BENCHMARK(ListOfAResponse);

}  // namespace
}  // namespace sluice::h2
