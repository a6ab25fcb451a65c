// The HTTP/1.1 side of one exchange on an upstream connection: parses what arrives, decides whether
// the connection may serve again. Never waits; the exchange does.
//
// On the request path. A block from the buffer pool is held only while response bytes are in it.
#pragma once

#include <memory>

#include "dataplane/http/body_reader.h"
#include "dataplane/http/h1_parser.h"
#include "dataplane/io/buffer.h"
#include "dataplane/upstream/pool.h"

namespace sluice::upstream {

class H1Client {
 public:
  explicit H1Client(io::BufferPool& buffers) : in_(buffers) {}

  void Start(std::unique_ptr<Connection> connection, http::Method method);
  bool started() const { return connection_ != nullptr; }
  Connection& connection() { return *connection_; }
  tls::Stream& stream() { return connection_->stream(); }

  enum class Progress : uint8_t {
    kWait,    // Nothing more to read at present.
    kReady,   // A head, or a piece of the body, is there.
    kClosed,  // Closed or reset by the upstream.
    kMalformed,
  };

  // Reads and parses until a whole head is there. After an interim head call NextHead first.
  Progress ReceiveHead(http::ResponseHead* head);
  void NextHead();
  // Whether any byte of a response has come: then the upstream has acted on the request.
  bool response_started() const { return response_started_; }

  // After the final head: where its body is.
  void StartBody(const http::ResponseHead& head);
  // After 101: everything from here to the end is the other protocol's.
  void StartTunnel();
  // The next piece, valid until the next call. kReady with an empty piece and body_done() is the
  // end.
  Progress ReceiveBody(std::string_view* piece);
  bool body_done() const { return body_.done(); }
  http::BodyReader& body() { return body_; }
  bool has_buffered() const { return !in_.empty(); }

  // Returns the connection to `pool` if its exchange is over and it is fit to serve another; closes
  // it otherwise. `request_complete`: the whole request was sent.
  void Finish(Pool& pool, const PoolLimits& limits, bool request_complete);
  // Ends the connection so that an unfinished request never looks complete.
  void Abort();

 private:
  static constexpr http::HeadLimits kHeadLimits{
      .head_bytes = 64 * 1024, .target_bytes = 0, .fields = 256};

  // More bytes into in_, whose block has room for at least `least`. Positive, 0 or -errno.
  ssize_t Fill(size_t least);

  std::unique_ptr<Connection> connection_;
  io::Buffer in_;
  http::ResponseParser parser_;
  http::BodyReader body_;
  http::Method method_ = http::Method::kGet;
  bool response_started_ = false;
  bool head_done_ = false;
  bool keep_alive_ = false;
  uint32_t peer_timeout_seconds_ = 0;
};

}  // namespace sluice::upstream
