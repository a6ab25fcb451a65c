#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "dataplane/observe/field_escape.h"
#include "dataplane/observe/log_line.h"
#include "dataplane/observe/log_ring.h"
#include "dataplane/observe/time_text.h"

namespace sluice::observe {
namespace {

void Escape(benchmark::State& state) {
  const std::string text = state.range(0) == 0 ? std::string(80, 'a') : std::string(80, '\x01');
  char out[80 * kEscapedBytesMax];
  for (auto _ : state) benchmark::DoNotOptimize(EscapeJson(text, out));
}
BENCHMARK(Escape)->ArgName("hostile")->Arg(0)->Arg(1);

void Time(benchmark::State& state) {
  TimeText time;
  char out[64];
  int64_t now = 1'714'566'645'123'456;
  for (auto _ : state) benchmark::DoNotOptimize(time.WriteRfc3339(now += 20, out));
}
BENCHMARK(Time);

void ThroughTheRing(benchmark::State& state) {
  LogRing ring;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.Begin(512));
    ring.Publish(400);
    ring.Free(ring.Queued().size());
  }
}
BENCHMARK(ThroughTheRing);

void JsonLine(benchmark::State& state) {
  v1::AccessLog settings;
  settings.set_format("json");
  const LogPlan plan = CompileLogPlan(settings, "json").value();
  AccessRecord record;
  record.start_unix_micros = 1'714'566'645'123'456;
  record.method = "GET";
  record.path = "/api/v1/users/123";
  record.status = 200;
  TimeText time;
  const auto out = std::make_unique<char[]>(LogLineBytesMax(record));
  for (auto _ : state) benchmark::DoNotOptimize(WriteLogLine(plan, record, time, out.get()));
}
BENCHMARK(JsonLine);

}  // namespace
}  // namespace sluice::observe
