// What an upstream offers to the exchange of one request, whatever protocol it speaks: the
// counterpart of the responder on the client's side.
//
// On the request path. One worker's. Receiving never waits; the exchange does, for what WaitToRead
// puts into its Wait and for the signal it gave.
#pragma once

#include <string_view>
#include <vector>

#include "dataplane/http/failure.h"
#include "dataplane/http/message.h"
#include "dataplane/io/task.h"
#include "dataplane/io/timer_wheel.h"
#include "dataplane/io/wait.h"

namespace sluice::upstream {

// How long the peer may take nothing of what is sent to it, and until when it has to have all.
struct SendLimit {
  io::TimerWheel& timers;
  io::Timer& timer;
  io::Millis idle;
  int64_t deadline_micros = 0;  // Monotonic; 0: none.
  void Restart() const {
    timers.Arm(timer, io::Within(idle, deadline_micros, timers.now_micros()));
  }
};

class Requester {
 public:
  virtual ~Requester() = default;

  enum class Progress : uint8_t {
    kWait,    // Nothing more to read at present.
    kReady,   // A head, or a piece of the body, is there.
    kClosed,  // Closed or reset by the upstream.
    kMalformed,
  };

  // --- The request's body, after its head. `trailers` end it with the last piece.
  virtual io::Task<http::Failure> SendBody(std::string_view piece, bool last,
                                           const std::vector<http::Field>& trailers,
                                           SendLimit limit) = 0;

  // --- The response.
  virtual void WaitToRead(io::Wait& wait) = 0;
  // Whether there may be something to read although sending has failed.
  virtual bool may_have_answered() = 0;
  // After an interim head call NextHead first.
  virtual Progress ReceiveHead(http::ResponseHead* head) = 0;
  virtual void NextHead() = 0;
  // Whether any of a response has come: then the upstream has acted on the request.
  virtual bool response_started() const = 0;
  // The upstream has said that it did not act on the request, and will not (RFC 9113 section
  // 8.7).
  virtual bool refused() const = 0;
  // After the final head: where its body is.
  virtual void StartBody(const http::ResponseHead& head) = 0;
  // The next piece, valid until the next call. kReady with an empty piece and body_done() is the
  // end.
  virtual Progress ReceiveBody(std::string_view* piece) = 0;
  virtual bool body_done() const = 0;
  // When the body is done.
  virtual const std::vector<http::Field>& response_trailers() const = 0;

  // Ends it midway: an unfinished request must never look complete. `reason`: why.
  virtual void Abort(http::Failure reason) = 0;
};

}  // namespace sluice::upstream
