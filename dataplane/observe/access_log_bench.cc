#include <benchmark/benchmark.h>

#include <string>

#include "common/base/check.h"
#include "dataplane/observe/access_log.h"

namespace sluice::observe {
namespace {

AccessRecord TypicalRecord() {
  AccessRecord record;
  record.start_unix_micros = 1714566645123456;
  record.service = "api-gateway";
  record.route = "users-service-route";
  record.upstream = "users-service";
  record.endpoint = "10.0.1.1:8080";
  record.request_id = "018f3e2a-7c1b-7def-8a3b-1c2d3e4f5a6b";
  record.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  record.client = "203.0.113.7";
  record.peer = "10.0.0.1";
  record.method = "GET";
  record.scheme = "https";
  record.host = "www.example.com";
  record.path = "/api/v1/users/123";
  record.query = "page=2&sort=name";
  record.protocol = "HTTP/1.1";
  record.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0";
  record.referer = "https://www.example.com/users";
  record.status = 200;
  record.attempts = 1;
  record.response_body_bytes = 12345;
  record.duration_micros = 12345;
  record.connect_micros = 0;
  record.upstream_head_micros = 11802;
  record.version = 42;
  return record;
}

void AppendTo(benchmark::State& state, const char* format) {
  AccessLog log(1);
  v1::AccessLog settings;
  settings.set_enabled(true);
  settings.set_path("/dev/null");
  settings.set_format(format);
  SLUICE_CHECK(log.Configure(settings, "json").ok());
  AccessLog::Writer* writer = log.writer(0);
  AccessRecord record = TypicalRecord();
  int64_t appended = 0;
  for (auto _ : state) {
    record.start_unix_micros += 20;
    writer->Append(record);
    // Keeps the ring from running full, outside what is measured.
    if (++appended % 512 == 0) {
      state.PauseTiming();
      log.Flush();
      state.ResumeTiming();
    }
  }
  SLUICE_CHECK(log.dropped_total() == 0);
}
BENCHMARK_CAPTURE(AppendTo, JsonAllFields, "json");
BENCHMARK_CAPTURE(AppendTo, Text, "text");

}  // namespace
}  // namespace sluice::observe
