// Whether the other side of a connection, or of one stream among many on it, is still there.
//
// On the request path. One worker's. One coroutine at a time can wait for it to go (Wait::Hangup).
#pragma once

#include "dataplane/io/wait.h"

namespace sluice::io {

class PeerState {
 public:
  // It has stopped sending (there may still be bytes to read); it may still read.
  bool closed() const { return closed_; }
  // Both directions are gone: reset, or closed after we closed.
  bool gone() const { return gone_; }

  // Whoever waits runs inside these calls, and may destroy this object.
  void SetClosed() {
    closed_ = true;
    Tell();
  }
  void SetGone() {
    closed_ = gone_ = true;
    Tell();
  }
  // Without telling anybody.
  void Reset() { closed_ = gone_ = false; }

 private:
  friend class Socket;
  friend class Wait;

  void Tell();

  bool closed_ = false;
  bool gone_ = false;
  Wait* wait_ = nullptr;
};

}  // namespace sluice::io
