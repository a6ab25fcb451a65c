// Deadlines of a worker, coarse and cheap: moving a deadline later is one store.
//
// Hot path: no allocation. One wheel per worker thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace sluice::io {

class TimerWheel;
class Wait;

using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;

// The lesser of `limit` (zero: none) and what is left until `deadline_micros` (0: none), which is
// a millisecond at least, since arming with zero would mean no limit.
inline Millis Within(Millis limit, int64_t deadline_micros, int64_t now_micros) {
  if (deadline_micros == 0) return limit;
  const Micros rest(deadline_micros - now_micros);
  const Millis left = std::max(std::chrono::ceil<Millis>(rest), Millis(1));
  return limit.count() == 0 || left < limit ? left : limit;
}

// Lives in its owner; unlinks itself. Wakes the Wait that stands on it, or calls `callback` if set.
class Timer {
 public:
  using Callback = void (*)(void* argument);

  Timer() = default;
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set_callback(Callback callback, void* argument) {
    callback_ = callback;
    argument_ = argument;
  }

 private:
  friend class TimerWheel;
  friend class Wait;

  Timer* previous_ = nullptr;  // Null: not linked.
  Timer* next_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  int64_t deadline_tick_ = 0;  // 0: disarmed, though perhaps still linked.
  int64_t linked_tick_ = 0;
  bool expired_ = false;  // Fired while nobody waited: the next Wait sees it. Cleared by Arm.
  Wait* wait_ = nullptr;
  Callback callback_ = nullptr;
  void* argument_ = nullptr;
};

class TimerWheel {
 public:
  static constexpr int64_t kTickMicros = 10'000;

  explicit TimerWheel(int64_t now_micros);

  // Fires once, between `delay` and `delay` plus one tick from the loop's present time. A delay of
  // zero or less disarms: no limit.
  void Arm(Timer& timer, Millis delay);
  void Disarm(Timer& timer) { timer.deadline_tick_ = 0; }

  // The present time, for Arm; fires nothing.
  void SetNow(int64_t now_micros) { now_micros_ = now_micros; }

  // Fires what is due. Timers may be armed, disarmed or destroyed by what they wake.
  void Advance(int64_t now_micros);

  // Time until the next linked timer, -1 if there is none.
  int MillisUntilNext(int64_t now_micros) const;

  int64_t now_micros() const { return now_micros_; }

 private:
  friend class Timer;
  static constexpr size_t kSlots = 2048;  // 20 s; later ones are looked at once per turn.

  void Link(Timer& timer, int64_t tick);
  void Unlink(Timer& timer);

  std::array<Timer, kSlots> heads_;  // Sentinels of circular lists.
  std::array<uint64_t, kSlots / 64> occupied_{};
  int64_t now_micros_;
  int64_t tick_;
  size_t linked_ = 0;
};

}  // namespace sluice::io
