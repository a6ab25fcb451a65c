// Two attempts of one request under way at once: what runs beside its exchange.
//
// On the request path of hedged requests only.
#pragma once

#include "dataplane/exchange/attempt.h"
#include "dataplane/io/reactor.h"
#include "dataplane/io/task.h"

namespace sluice::exchange {

class Race {
 public:
  Race(io::Reactor& reactor, io::BufferPool& buffers)
      : second(buffers, response_, nullptr), reactor_(reactor) {}
  ~Race() {
    if (deferred_) reactor_.Undefer(this);
  }
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  // An attempt that runs beside has ended. `news` fires when its coroutine is over: who hears it
  // may destroy it.
  void Tell() {
    if (!deferred_) reactor_.Defer(FireNews, this);
    deferred_ = true;
  }

 private:
  static void FireNews(void* race) {
    auto* self = static_cast<Race*>(race);
    self->deferred_ = false;
    self->news.Fire();
  }

  http::ResponseHead response_;

 public:
  Attempt second;  // Beside the exchange's own one.
  io::Timer delay;
  io::Signal news;
  io::Task<void> leader, follower;  // Go before what they act on.

 private:
  io::Reactor& reactor_;
  bool deferred_ = false;
};

}  // namespace sluice::exchange
