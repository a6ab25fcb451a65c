// One suspended coroutine and what may wake it.
#pragma once

#include <coroutine>
#include <cstdint>

namespace sluice::io {

class PeerState;
class Socket;
class Timer;
class Signal;

enum class Wake : uint8_t {
  kReady,       // The socket may be read or written.
  kTimeout,     // The timer came first.
  kPeerClosed,  // The watched peer closed its sending side; it may still read.
  kHangup,      // The watched peer is gone.
  kSignal,      // Signal::Fire was called.
};

// Awaitable. Any combination of sources; the first to fire wakes the coroutine and all let go of
// it. A source can be waited for by one coroutine at a time.
class Wait {
 public:
  Wait() = default;
  ~Wait() { Detach(); }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  Wait& Readable(Socket& socket) {
    readable_ = &socket;
    return *this;
  }
  Wait& Writable(Socket& socket) {
    writable_ = &socket;
    return *this;
  }
  // Wakes when the peer is gone, or, with PeerClosed, already when it stops sending.
  Wait& Hangup(PeerState& peer) {
    closing_ = &peer;
    return *this;
  }
  Wait& PeerClosed(PeerState& peer) {
    closing_ = &peer;
    wants_half_close_ = true;
    return *this;
  }
  Wait& Until(Timer& timer) {
    timer_ = &timer;
    return *this;
  }
  Wait& On(Signal& signal) {
    signal_ = &signal;
    return *this;
  }

  bool await_ready();  // True when a source has fired already.
  void await_suspend(std::coroutine_handle<> caller);
  Wake await_resume() const { return wake_; }

  // For the sources only.
  void Fire(Wake wake);
  bool wants_half_close() const { return wants_half_close_; }

 private:
  void Detach();

  std::coroutine_handle<> caller_;
  Socket* readable_ = nullptr;
  Socket* writable_ = nullptr;
  PeerState* closing_ = nullptr;
  Timer* timer_ = nullptr;
  Signal* signal_ = nullptr;
  Wake wake_ = Wake::kReady;
  bool attached_ = false;
  bool wants_half_close_ = false;
};

// Wakes a coroutine from another one of the same thread. A Fire with nobody waiting is remembered.
class Signal {
 public:
  // The waiting coroutine runs inside this call.
  void Fire() {
    if (Wait* wait = waiting_; wait != nullptr) {
      wait->Fire(Wake::kSignal);
    } else {
      fired_ = true;
    }
  }
  void Reset() { fired_ = false; }

 private:
  friend class Wait;
  Wait* waiting_ = nullptr;
  bool fired_ = false;
};

}  // namespace sluice::io
