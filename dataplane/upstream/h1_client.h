// The HTTP/1.1 side of one exchange on an upstream connection: frames the request, parses the
// response, decides whether the connection may serve again.
//
// On the request path. A block from the buffer pool is held only while response bytes are in it.
#pragma once

#include <sys/uio.h>

#include <memory>

#include "dataplane/http/body_reader.h"
#include "dataplane/http/h1_parser.h"
#include "dataplane/io/buffer.h"
#include "dataplane/upstream/pool.h"
#include "dataplane/upstream/requester.h"

namespace sluice::upstream {

class H1Client final : public Requester {
 public:
  explicit H1Client(io::BufferPool& buffers) : in_(buffers) {}

  void Start(std::unique_ptr<Connection> connection, http::Method method);
  tls::Stream& stream() { return connection_->stream(); }

  // The head and, if that is all of it, the body with `framing`.
  io::Task<http::Failure> SendRequest(std::string_view head, http::Framing framing,
                                      std::string_view body, bool whole, SendLimit limit);
  // Bytes as they are, in at most four parts.
  io::Task<http::Failure> Write(const iovec* parts, int count, SendLimit limit);

  // After 101: everything from here to the end is the other protocol's.
  void StartTunnel();
  // The body's rest, where it is a clear stream of known length of which nothing is buffered;
  // otherwise null.
  http::BodyReader* spliceable_body();

  // Requester:
  io::Task<http::Failure> SendBody(std::string_view piece, bool last,
                                   const std::vector<http::Field>& trailers,
                                   SendLimit limit) override;
  void WaitToRead(io::Wait& wait) override { stream().WaitToRead(wait); }
  bool may_have_answered() override { return stream().may_read(); }
  Progress ReceiveHead(http::ResponseHead* head) override;
  void NextHead() override;
  bool response_started() const override { return response_started_; }
  bool refused() const override { return false; }
  void StartBody(const http::ResponseHead& head) override;
  Progress ReceiveBody(std::string_view* piece) override;
  bool body_done() const override { return body_.done(); }
  const std::vector<http::Field>& response_trailers() const override { return body_.trailers(); }
  void Abort(http::Failure reason) override;

  // Returns the connection to `pool` if its exchange is over and it is fit to serve another; closes
  // it otherwise. `request_complete`: the whole request was sent.
  void Finish(Pool& pool, const PoolLimits& limits, bool request_complete);

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
  bool chunked_ = false;  // The request's body.
  bool response_started_ = false;
  bool head_done_ = false;
  bool keep_alive_ = false;
  uint32_t peer_timeout_seconds_ = 0;
};

}  // namespace sluice::upstream
