// What it costs to ask for each of twenty fields whether it goes on.
#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/h1_parser.h"
#include "dataplane/http/hop_by_hop.h"

namespace sluice::http {
namespace {

void AskForEachField(benchmark::State& state, const std::string& connection) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: " + connection + "\r\n";
  for (int i = 0; i < 18; ++i) bytes += "X-Field-" + std::to_string(i) + ": some value\r\n";
  bytes += "\r\n";
  RequestParser parser;
  RequestHead head;
  parser.Reset({});
  if (parser.Parse(bytes, &head) != ParseResult::kDone) state.SkipWithError("refused");
  for (auto _ : state) {
    size_t forwarded = 0;
    for (const Field& field : head.fields) forwarded += IsForwardable(head, field);
    benchmark::DoNotOptimize(forwarded);
  }
}
BENCHMARK_CAPTURE(AskForEachField, keep_alive, std::string("keep-alive"));
BENCHMARK_CAPTURE(AskForEachField, names_fields, std::string("close, X-Field-3, X-Field-4"));

}  // namespace
}  // namespace sluice::http
