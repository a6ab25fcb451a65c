// Lets changes in one at a time, in the order they came, and only so many wait.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace sluice::apply {

class ChangeQueue {
 public:
  explicit ChangeQueue(uint64_t waiting_max) : waiting_max_(waiting_max) {}

  // Blocks until it is the caller's turn. False, at once, when too many wait already. `presses`:
  // whoever makes a change meanwhile should not take his time.
  bool Enter(bool presses);
  void Leave();
  uint64_t waiting();
  // Whether one that presses waits; returns at once when it does, else after `timeout`.
  bool WaitForPressure(std::chrono::milliseconds timeout);

  // Ends with the scope. `entered` false: there was no room.
  class Turn {
   public:
    Turn(ChangeQueue& queue, bool presses) : queue_(queue), entered_(queue.Enter(presses)) {}
    ~Turn() {
      if (entered_) queue_.Leave();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool entered() const { return entered_; }

   private:
    ChangeQueue& queue_;
    const bool entered_;
  };

 private:
  const uint64_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable turned_;
  uint64_t next_ticket_ = 0;
  uint64_t serving_ = 0;
  uint64_t pressing_ = 0;
};

}  // namespace sluice::apply
