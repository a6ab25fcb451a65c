#include "dataplane/io/reactor.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/check.h"

namespace sluice::io {
namespace {

int64_t ReadClock(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1'000'000} + now.tv_nsec / 1000;
}

}  // namespace

Reactor::Reactor()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      timers_(ReadClock(CLOCK_MONOTONIC)) {
  SLUICE_CHECK(epoll_.get() >= 0 && wake_.get() >= 0);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = this;  // Told apart from targets by its address.
  SLUICE_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
  RefreshClock();
}

Reactor::~Reactor() { RunDeferred(); }

bool Reactor::Register(int fd, uint32_t events, EventTarget* target) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = target;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool Reactor::Reregister(int fd, uint32_t events, EventTarget* target) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = target;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0;
}

bool Reactor::RegisterListening(int fd, EventTarget* target) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = target;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Reactor::UnregisterListening(int fd) {
  epoll_event none{};
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &none);
}

void Reactor::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    RunDeferred();
    const int timeout = postponed_.empty() ? timers_.MillisUntilNext(now_micros()) : 0;
    const int count = epoll_wait(epoll_.get(), batch_.data(), kEventsMax, timeout);
    ++turn_;
    RefreshClock();
    resuming_.swap(postponed_);  // Who is postponed from here on waits for the next turn.
    Deliver(count);
    DeliverPostponed();
    timers_.Advance(now_micros());
  }
  stopping_.store(false, std::memory_order_release);
  RunPosted();
  RunDeferred();
}

void Reactor::Deliver(int count) {
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    if (batch_[i].data.ptr == this) {
      woken = true;
      batch_[i].data.ptr = nullptr;
    } else {
      static_cast<EventTarget*>(batch_[i].data.ptr)->batch_index_ = i;
    }
  }
  // A target destroyed by an earlier event has taken itself out of the batch.
  for (int i = 0; i < count; ++i) {
    auto* target = static_cast<EventTarget*>(batch_[i].data.ptr);
    if (target == nullptr) continue;
    target->batch_index_ = -1;
    delivering_ = target;
    target->OnEvents(batch_[i].events);
  }
  delivering_ = nullptr;
  if (woken) RunPosted();
}

void Reactor::DeliverPostponed() {
  for (size_t i = 0; i < resuming_.size(); ++i) {
    EventTarget* const target = resuming_[i];
    if (target == nullptr) continue;
    target->postponed_ = false;
    delivering_ = target;
    target->OnNextTurn();
  }
  delivering_ = nullptr;
  resuming_.clear();
}

void Reactor::Recall(EventTarget* target) {
  if (!target->postponed_) return;
  target->postponed_ = false;
  EventTarget* const nobody = nullptr;
  std::replace(postponed_.begin(), postponed_.end(), target, nobody);
  std::replace(resuming_.begin(), resuming_.end(), target, nobody);
}

void Reactor::RunDeferred() {
  // What runs may defer more.
  for (size_t i = 0; i < deferred_.size(); ++i) {
    const Deferred deferred = deferred_[i];
    deferred.function(deferred.argument);
  }
  deferred_.clear();
}

void Reactor::Undefer(void* argument) {
  for (Deferred& deferred : deferred_) {
    if (deferred.argument == argument) deferred.function = [](void*) {};
  }
}

void Reactor::RunPosted() {
  uint64_t ignored;
  while (read(wake_.get(), &ignored, sizeof ignored) > 0) {
  }
  std::vector<std::function<void()>> functions;
  {
    const std::lock_guard lock(mutex_);
    functions.swap(posted_);
  }
  for (auto& function : functions) function();
}

void Reactor::Post(std::function<void()> function) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Reactor::Stop() {
  stopping_.store(true, std::memory_order_release);
  Post([] {});
}

void Reactor::RefreshClock() {
  const int64_t now = ReadClock(CLOCK_MONOTONIC);
  // Unix time is re-read now and then, so that a corrected clock shows.
  if (unix_refreshed_micros_ == 0 || now - unix_refreshed_micros_ > 100'000) {
    unix_offset_micros_ = ReadClock(CLOCK_REALTIME) - now;
    unix_refreshed_micros_ = now;
  }
  // Timers are advanced after events: data that is there wins over a deadline of the same moment.
  timers_.SetNow(now);
}

}  // namespace sluice::io
