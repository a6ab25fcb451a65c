// One request on a shared HTTP/2 connection to an upstream: a stream of it.
//
// On the request path. One worker's. Whatever arrives fires the signal of the exchange.
#pragma once

#include "dataplane/h2/h2_stream.h"
#include "dataplane/upstream/requester.h"
#include "dataplane/upstream/shared_connection.h"

namespace sluice::upstream {

// Only for the time of the call it is given to.
struct H2RequestHead {
  std::string_view method, authority, path, query;
  const std::vector<http::Field>& fields;  // In any case.
};

class H2Client final : public h2::H2Stream, public Requester {
 public:
  // `shared` is ready; `news` must outlive the client.
  H2Client(SharedConnection& shared, http::Method method, io::Signal& news);
  ~H2Client() override;

  static void* operator new(size_t bytes) { return io::FramePool::Allocate(bytes); }
  static void operator delete(void* client, size_t bytes) { io::FramePool::Free(client, bytes); }

  // False when the connection takes no more.
  bool Start(const H2RequestHead& head, bool last);

  // Requester:
  io::Task<http::Failure> SendBody(std::string_view piece, bool last,
                                   const std::vector<http::Field>& trailers,
                                   SendLimit limit) override;
  void WaitToRead(io::Wait&) override {}  // The signal tells.
  bool may_have_answered() override { return head_ready(); }
  Progress ReceiveHead(http::ResponseHead* head) override;
  void NextHead() override { H2Stream::NextHead(); }
  bool response_started() const override { return response_started_; }
  bool refused() const override { return error() == NGHTTP2_REFUSED_STREAM && !response_started_; }
  void StartBody(const http::ResponseHead&) override {}
  Progress ReceiveBody(std::string_view* piece) override;
  bool body_done() const override { return received_end() && !has_received(); }
  const std::vector<http::Field>& response_trailers() const override { return trailers(); }
  void Abort(http::Failure reason) override;

 private:
  void OnNews() override;

  SharedConnection& shared_;
  io::Signal& news_;
  const http::Method method_;
  int64_t started_micros_ = 0;
  bool response_started_ = false;
};

}  // namespace sluice::upstream
