// What a client connection offers to the exchange of one of its requests. Each protocol has its
// own.
//
// One worker's. Every method that waits stops at the exchange's timers and tells by a Failure.
#pragma once

#include <string_view>
#include <vector>

#include "dataplane/http/failure.h"
#include "dataplane/http/message.h"
#include "dataplane/io/task.h"
#include "dataplane/io/timer_wheel.h"
#include "dataplane/io/wait.h"
#include "dataplane/tls/stream.h"

namespace sluice::exchange {

struct BodyPiece {
  std::string_view data;  // Valid until the next ReadBody.
  bool last = false;
  http::Failure failure = http::Failure::kNone;
};

class Responder {
 public:
  virtual ~Responder() = default;

  // --- The request's body.
  // What has arrived of it already, if that is all of it; otherwise nothing, and ReadBody gives it.
  virtual bool TakeWholeBody(std::string_view* body) = 0;
  virtual io::Task<BodyPiece> ReadBody(io::Timer& timer) = 0;
  // After the last piece.
  virtual const std::vector<http::Field>& request_trailers() const = 0;
  // Whether all of it has been read. A connection with an unread body is closed after the response.
  virtual bool body_read() const = 0;

  // --- The response. Connection-level fields are the responder's business and not in `head`.
  virtual io::Task<http::Failure> SendInterim(const http::ResponseHead& head, io::Timer& timer) = 0;
  // `head.framing` and `head.content_length` say what follows; `body` is its beginning, all of it
  // if `last`.
  virtual io::Task<http::Failure> SendHead(const http::ResponseHead& head, std::string_view body,
                                           bool last, io::Timer& timer) = 0;
  virtual io::Task<http::Failure> SendBody(std::string_view body, bool last, io::Timer& timer) = 0;
  // The switch to `protocol` (101, or in HTTP/2 what stands for it); from now on ReadBody and
  // SendBody carry bytes of that protocol, and `last` is the end of one direction.
  virtual io::Task<http::Failure> SendSwitch(const http::ResponseHead& head,
                                             std::string_view protocol, io::Timer& timer) = 0;
  // Ends a chunked body; `trailers` may be empty.
  virtual io::Task<http::Failure> SendEnd(const std::vector<http::Field>& trailers,
                                          io::Timer& timer) = 0;
  // The socket into which body bytes may be spliced as they are; null where they may not.
  virtual io::Socket* splice_target() = 0;
  // Waiting for the client ends at `deadline_micros` (monotonic; 0: no limit), however little it
  // takes at a time. Before SendHead.
  virtual void LimitResponse(int64_t deadline_micros) = 0;
  // No request is to follow this one. Before SendHead.
  virtual void CloseAfterResponse() = 0;
  // The response cannot be completed: the client must be able to tell.
  virtual void AbortResponse() = 0;
  virtual bool response_started() const = 0;

  virtual io::PeerState& client() = 0;
};

}  // namespace sluice::exchange
