#include "controlplane/serve/events.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

namespace sluice::serve {

Events::Events() : signals_(context_, SIGTERM, SIGINT) {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) OnSignal();
  });
  thread_ = std::thread([this] { context_.run(); });
}

Events::~Events() {
  context_.stop();
  thread_.join();
}

void Events::OnSignal() {
  ending_ = true;
  Wake();
  signals_.async_wait([](const boost::system::error_code& error, int) {
    if (!error) _exit(0);  // Asked a second time: at once.
  });
}

void Events::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

bool Events::Wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, at_most, [this] { return woken_; });
  return std::exchange(woken_, false);
}

void Events::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return woken_; });
  woken_ = false;
}

}  // namespace sluice::serve
