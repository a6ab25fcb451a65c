// What a head costs: a load generator's, a browser's, one of twenty fields, one that arrives in
// pieces.
#include <benchmark/benchmark.h>

#include <string>

#include "dataplane/http/h1_parser.h"

namespace sluice::http {
namespace {

constexpr std::string_view kSmall =
    "GET /index.html HTTP/1.1\r\n"
    "Host: bench.example.com:8080\r\n"
    "User-Agent: wrk/4.1.0\r\n"
    "\r\n";

constexpr std::string_view kBrowser =
    "GET /static/app/main.4f1a9c.js?v=20260101 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: */*\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Connection: keep-alive\r\n"
    "Referer: https://www.example.com/app/dashboard\r\n"
    "Sec-Fetch-Dest: script\r\n"
    "\r\n";

std::string TwentyFields() {
  std::string bytes(kBrowser.substr(0, kBrowser.size() - 2));
  return bytes +
         "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; lang=en; "
         "_ga=GA1.1.1234567890.1234567890\r\n"
         "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n"
         "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
         "If-None-Match: \"6592008029c8c3e4dc76256c\"\r\nPriority: u=2\r\nDNT: 1\r\n"
         "Cache-Control: max-age=0\r\nX-Requested-With: XMLHttpRequest\r\nPragma: no-cache\r\n"
         "Origin: https://www.example.com\r\nX-Client-Version: 4.12.0\r\n\r\n";
}

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.22.1\r\n"
    "Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\n"
    "Content-Length: 1024\r\n"
    "Last-Modified: Mon, 23 Nov 2026 07:00:00 GMT\r\n"
    "Connection: keep-alive\r\n"
    "ETag: \"6592008029c8c3e4\"\r\n"
    "Accept-Ranges: bytes\r\n"
    "\r\n";

void ParseRequest(benchmark::State& state, const std::string& bytes) {
  RequestParser parser;
  RequestHead head;
  const HeadLimits limits;
  for (auto _ : state) {
    parser.Reset(limits);
    if (parser.Parse(bytes, &head) != ParseResult::kDone) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK_CAPTURE(ParseRequest, small, std::string(kSmall));
BENCHMARK_CAPTURE(ParseRequest, browser, std::string(kBrowser));
BENCHMARK_CAPTURE(ParseRequest, twenty_fields, TwentyFields());

void ParseRequestByteByByte(benchmark::State& state) {
  const std::string bytes = TwentyFields();
  RequestParser parser;
  RequestHead head;
  for (auto _ : state) {
    parser.Reset({});
    for (size_t i = 1; i <= bytes.size(); ++i) {
      benchmark::DoNotOptimize(parser.Parse({bytes.data(), i}, &head));
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(ParseRequestByteByByte);

void ParseResponse(benchmark::State& state) {
  ResponseParser parser;
  ResponseHead head;
  const HeadLimits limits;
  for (auto _ : state) {
    parser.Reset(limits, Method::kGet);
    if (parser.Parse(kResponse, &head) != ParseResult::kDone) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK(ParseResponse);

}  // namespace
}  // namespace sluice::http
