#include "dataplane/io/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "dataplane/io/wait.h"

namespace sluice::io {

Timer::~Timer() {
  if (previous_ != nullptr && wheel_ != nullptr) wheel_->Unlink(*this);
}

TimerWheel::TimerWheel(int64_t now_micros)
    : now_micros_(now_micros), tick_(now_micros / kTickMicros) {
  for (Timer& head : heads_) head.previous_ = head.next_ = &head;
}

void TimerWheel::Link(Timer& timer, int64_t tick) {
  const size_t slot = static_cast<size_t>(tick) % kSlots;
  Timer& head = heads_[slot];
  timer.wheel_ = this;
  timer.linked_tick_ = tick;
  timer.previous_ = head.previous_;
  timer.next_ = &head;
  head.previous_->next_ = &timer;
  head.previous_ = &timer;
  occupied_[slot / 64] |= uint64_t{1} << (slot % 64);
  ++linked_;
}

void TimerWheel::Unlink(Timer& timer) {
  timer.previous_->next_ = timer.next_;
  timer.next_->previous_ = timer.previous_;
  timer.previous_ = timer.next_ = nullptr;
  const size_t slot = static_cast<size_t>(timer.linked_tick_) % kSlots;
  if (heads_[slot].next_ == &heads_[slot]) occupied_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  --linked_;
}

void TimerWheel::Arm(Timer& timer, Millis delay) {
  timer.expired_ = false;
  if (delay.count() <= 0) {
    timer.deadline_tick_ = 0;
    return;
  }
  // Rounded up, and one more, so that it never fires early.
  const int64_t tick = (now_micros_ + delay.count() * 1000) / kTickMicros + 1;
  timer.deadline_tick_ = tick;
  if (timer.previous_ != nullptr) {
    if (timer.linked_tick_ <= tick) return;  // Found there in passing, and moved on.
    Unlink(timer);
  }
  Link(timer, tick);
}

void TimerWheel::Advance(int64_t now_micros) {
  now_micros_ = now_micros;
  const int64_t now_tick = now_micros / kTickMicros;
  if (linked_ == 0) {
    tick_ = now_tick;
    return;
  }
  // After a long pause every slot is visited once, not once per missed turn.
  int64_t tick = std::max(tick_ + 1, now_tick - static_cast<int64_t>(kSlots) + 1);
  for (; tick <= now_tick; ++tick) {
    const size_t slot = static_cast<size_t>(tick) % kSlots;
    if ((occupied_[slot / 64] >> (slot % 64) & 1) == 0) continue;
    // Detach the list first: what fires may link into this very slot.
    Timer pending;
    Timer& head = heads_[slot];
    pending.next_ = head.next_;
    pending.previous_ = head.previous_;
    pending.next_->previous_ = &pending;
    pending.previous_->next_ = &pending;
    head.next_ = head.previous_ = &head;
    occupied_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    while (pending.next_ != &pending) {
      Timer& timer = *pending.next_;
      Unlink(timer);
      if (timer.deadline_tick_ == 0) continue;
      if (timer.deadline_tick_ > now_tick) {
        Link(timer, timer.deadline_tick_);
        continue;
      }
      timer.deadline_tick_ = 0;
      tick_ = tick;
      if (timer.wait_ != nullptr) {
        timer.wait_->Fire(Wake::kTimeout);
      } else if (timer.callback_ != nullptr) {
        timer.callback_(timer.argument_);
      } else {
        timer.expired_ = true;
      }
    }
    pending.previous_ = nullptr;  // A sentinel is not linked.
  }
  tick_ = now_tick;
}

int TimerWheel::MillisUntilNext(int64_t now_micros) const {
  if (linked_ == 0) return -1;
  const int64_t base = now_micros / kTickMicros;
  for (size_t step = 0; step < kSlots;) {
    const size_t slot = static_cast<size_t>(base + 1 + static_cast<int64_t>(step)) % kSlots;
    const uint64_t word = occupied_[slot / 64] >> (slot % 64);
    if (word != 0) {
      const int64_t tick = base + 1 + static_cast<int64_t>(step) + std::countr_zero(word);
      return static_cast<int>((tick * kTickMicros - now_micros + 999) / 1000);
    }
    step += 64 - slot % 64;
  }
  return static_cast<int>(kSlots * kTickMicros / 1000);
}

}  // namespace sluice::io
