// A worker's event loop: epoll, edge-triggered, one registration per descriptor for its whole life.
//
// On the request path: no allocation, no lock. Everything belongs to the thread that calls Run, but
// for Post and Stop.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <vector>

#include "common/base/file.h"
#include "dataplane/io/timer_wheel.h"

namespace sluice::io {

// Something epoll reports on. Must be unregistered (or its Reactor gone) before it is destroyed.
class EventTarget {
 public:
  virtual ~EventTarget() = default;
  virtual void OnEvents(uint32_t events) = 0;
  // What Reactor::Postpone was for.
  virtual void OnNextTurn() {}

 private:
  friend class Reactor;
  int batch_index_ = -1;    // Its place among the events being delivered; -1: none.
  bool postponed_ = false;  // OnNextTurn is to be called.
};

class Reactor {
 public:
  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Edge-triggered; false (errno set) when the kernel refuses.
  bool Register(int fd, uint32_t events, EventTarget* target);
  // For another target than before; what is ready is reported again.
  bool Reregister(int fd, uint32_t events, EventTarget* target);
  // Level-triggered, for reading: for listening sockets, whose queue is emptied in parts.
  bool RegisterListening(int fd, EventTarget* target);
  // Closing is not enough for a socket that another process has, too. Then Forget its target.
  void UnregisterListening(int fd);
  // Forgets events not yet delivered. Closing the descriptor ends the kernel's registration.
  void Forget(EventTarget* target) {
    if (target->batch_index_ >= 0)
      batch_[static_cast<size_t>(target->batch_index_)].data.ptr = nullptr;
    target->batch_index_ = -1;
    if (delivering_ == target) delivering_ = nullptr;
    Recall(target);
  }
  // Calls `target`'s OnNextTurn, once, after all others had their events: for whoever has had its
  // share of the loop.
  void Postpone(EventTarget* target) {
    if (target->postponed_) return;
    target->postponed_ = true;
    postponed_.push_back(target);
  }
  // Takes that back.
  void Recall(EventTarget* target);
  // Counts the times the loop has waited for events.
  uint64_t turn() const { return turn_; }
  // Inside OnEvents and OnNextTurn: whether `target`, which they are for, has not been forgotten
  // meanwhile (and perhaps destroyed).
  bool IsDelivering(const EventTarget* target) const { return delivering_ == target; }

  // Runs until Stop.
  void Run();

  // From any thread.
  void Stop();
  // Ends the present Run; another may follow.
  void StopOnce() { stopping_.store(true, std::memory_order_release); }
  void Post(std::function<void()> function);

  // Runs `function(argument)` before the loop waits again, outside of whatever runs now. For
  // freeing objects whose code is still on the stack.
  void Defer(void (*function)(void*), void* argument) { deferred_.push_back({function, argument}); }

  // Takes back what was deferred for `argument`.
  void Undefer(void* argument);

  TimerWheel& timers() { return timers_; }
  // Monotonic, as of the last wake-up.
  int64_t now_micros() const { return timers_.now_micros(); }
  // Unix time of the same moment.
  int64_t unix_micros() const { return now_micros() + unix_offset_micros_; }

  // Connections are not begun where their descriptor would have this number, or a higher one.
  void set_connect_descriptors_max(int most) { connect_descriptors_max_ = most; }
  int connect_descriptors_max() const { return connect_descriptors_max_; }

 private:
  static constexpr int kEventsMax = 256;

  struct Deferred {
    void (*function)(void*);
    void* argument;
  };

  void Deliver(int count);
  void DeliverPostponed();
  void RunDeferred();
  void RunPosted();
  void RefreshClock();

  base::UniqueFd epoll_;
  base::UniqueFd wake_;
  TimerWheel timers_;
  int64_t unix_offset_micros_ = 0;
  int64_t unix_refreshed_micros_ = 0;
  int connect_descriptors_max_ = std::numeric_limits<int>::max();
  std::array<epoll_event, kEventsMax> batch_;
  EventTarget* delivering_ = nullptr;
  uint64_t turn_ = 0;
  std::vector<EventTarget*> postponed_;
  std::vector<EventTarget*> resuming_;  // Of those, the ones whose turn has come.
  std::vector<Deferred> deferred_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // Guarded by mutex_.
};

}  // namespace sluice::io
