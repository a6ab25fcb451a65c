#include <benchmark/benchmark.h>

#include <vector>

#include "dataplane/io/timer_wheel.h"

namespace sluice::io {
namespace {

// What every request does several times: the deadline moves on, and seldom comes.
void MoveLater(benchmark::State& state) {
  int64_t now = 1'000'000;
  TimerWheel wheel(now);
  std::vector<Timer> timers(static_cast<size_t>(state.range(0)));
  size_t next = 0;
  for (auto _ : state) {
    wheel.SetNow(now += 20);
    wheel.Arm(timers[next], Millis(5000));
    next = next + 1 == timers.size() ? 0 : next + 1;
  }
}
BENCHMARK(MoveLater)->Arg(1)->Arg(1000);

void AdvanceOneTick(benchmark::State& state) {
  int64_t now = 1'000'000;
  TimerWheel wheel(now);
  std::vector<Timer> timers(static_cast<size_t>(state.range(0)));
  for (Timer& timer : timers) wheel.Arm(timer, Millis(3'600'000));
  for (auto _ : state) wheel.Advance(now += TimerWheel::kTickMicros);
}
BENCHMARK(AdvanceOneTick)->Arg(1)->Arg(10'000);

}  // namespace
}  // namespace sluice::io
