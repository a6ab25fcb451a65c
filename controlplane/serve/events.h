// What the controller's main thread waits for: a signal to end, and whatever else wakes it.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace sluice::serve {

class Events {
 public:
  // SIGTERM and SIGINT end; a second one at once.
  Events();
  ~Events();

  bool ending() const { return ending_; }
  // From any thread. Wait returns, or will return at once when it is called next.
  void Wake();
  // Until woken, or time is up: false.
  bool Wait(std::chrono::milliseconds at_most);
  void Wait();

 private:
  void OnSignal();

  std::atomic<bool> ending_{false};
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  bool woken_ = false;

  boost::asio::io_context context_{1};
  boost::asio::signal_set signals_;
  std::thread thread_;
};

}  // namespace sluice::serve
