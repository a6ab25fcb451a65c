// What an exchange does to a request's head: whose it is, its id and trace, and how it leaves.
#include <benchmark/benchmark.h>

#include "common/base/check.h"
#include "dataplane/exchange/client_address.h"
#include "dataplane/exchange/memory.h"
#include "dataplane/exchange/request_id.h"
#include "dataplane/exchange/trace_context.h"
#include "dataplane/exchange/upstream_head.h"

namespace sluice::exchange {
namespace {

constexpr std::string_view kReceived =
    "GET /api/v1/users/123?page=2 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0\r\n"
    "Accept: text/html,application/json;q=0.9\r\nAccept-Language: en\r\nCookie: session=abcdef\r\n"
    "X-Forwarded-For: 203.0.113.7, 10.0.0.2\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";

// Takes and gives back the memory of a request in turn, as a connection does.
void ParseIntoPooledMemory(benchmark::State& state) {
  MemoryPool pool;
  for (auto _ : state) {
    std::unique_ptr<Memory> memory = pool.Take();
    memory->request_parser.Reset({});
    benchmark::DoNotOptimize(memory->request_parser.Parse(kReceived, &memory->request));
    pool.Give(std::move(memory));
  }
}
BENCHMARK(ParseIntoPooledMemory);

void WriteHead(benchmark::State& state) {
  Memory memory;
  memory.request_parser.Reset({});
  SLUICE_CHECK(memory.request_parser.Parse(kReceived, &memory.request) == http::ParseResult::kDone);
  IncomingRequest request;
  request.head = &memory.request;
  request.authority = memory.request.host;
  request.scheme = "https";
  request.peer_ip = "192.0.2.1";
  io::BufferPool pool;
  io::Buffer out(pool);
  const UpstreamHead head{.request = request,
                          .path = "/123",
                          .removed_prefix = "/api/v1/users",
                          .host = memory.request.host,
                          .request_id = "018f3e2a-7c1b-7def-8a3b-1c2d3e4f5a6b",
                          .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          .trace_continued = true,
                          .peer_trusted = true};
  for (auto _ : state) WriteUpstreamHead(head, &out);
}
BENCHMARK(WriteHead);

void FindClient(benchmark::State& state) {
  Memory memory;
  memory.request_parser.Reset({});
  SLUICE_CHECK(memory.request_parser.Parse(kReceived, &memory.request) == http::ParseResult::kDone);
  const std::vector<base::Cidr> trusted = {base::Cidr::Parse("10.0.0.0/8").value()};
  const base::IpBytes peer = base::ParseIp("10.0.0.1").value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(FindClientAddress("10.0.0.1", peer, memory.request, trusted));
  }
}
BENCHMARK(FindClient);

void RequestId(benchmark::State& state) {
  base::Random random(1);
  char id[kUuidChars];
  int64_t now = 1'714'566'645'123'456;
  for (auto _ : state) {
    WriteUuidV7(now += 20, random, id);
    benchmark::DoNotOptimize(id);
  }
}
BENCHMARK(RequestId);

void Traceparent(benchmark::State& state) {
  base::Random random(1);
  char traceparent[kTraceparentChars];
  for (auto _ : state) {
    benchmark::DoNotOptimize(WriteTraceparent(
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", random, traceparent));
  }
}
BENCHMARK(Traceparent);

}  // namespace
}  // namespace sluice::exchange
