// A client connection that speaks HTTP/1.x: reads heads one after the other, gives each request to
// an exchange, writes what it answers. Pipelined requests wait in the buffer, bounded by it.
//
// On the request path; tools/bench measures it whole. One worker's. An idle connection holds no
// buffer and no request memory.
#pragma once

#include <memory>
#include <string_view>

#include "dataplane/downstream/client_connection.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/exchange/responder.h"
#include "dataplane/http/target.h"
#include "dataplane/io/buffer.h"
#include "dataplane/io/task.h"

namespace sluice::downstream {

class H1Connection final : public ClientConnection, public exchange::Responder {
 public:
  // As ClientConnection::Accept. Once the client turns out to speak HTTP/2, an H2Connection goes
  // on.
  static void Begin(ServiceBinding& binding, int fd, const sockaddr* peer);
  void WindDown() override;

  // Responder:
  bool TakeWholeBody(std::string_view* body) override;
  io::Task<exchange::BodyPiece> ReadBody(io::Timer& timer) override;
  const std::vector<http::Field>& request_trailers() const override;
  bool body_read() const override;
  io::Task<http::Failure> SendInterim(const http::ResponseHead& head, io::Timer& timer) override;
  io::Task<http::Failure> SendHead(const http::ResponseHead& head, std::string_view body, bool last,
                                   io::Timer& timer) override;
  io::Task<http::Failure> SendBody(std::string_view body, bool last, io::Timer& timer) override;
  io::Task<http::Failure> SendSwitch(const http::ResponseHead& head, std::string_view protocol,
                                     io::Timer& timer) override;
  io::Task<http::Failure> SendEnd(const std::vector<http::Field>& trailers,
                                  io::Timer& timer) override;
  io::Socket* splice_target() override;
  void LimitResponse(int64_t deadline_micros) override;
  void CloseAfterResponse() override { close_after_ = true; }
  void AbortResponse() override { aborted_ = true; }
  bool response_started() const override { return response_started_; }
  io::PeerState& client() override { return stream_.socket().peer(); }

 private:
  // What only an active connection needs.
  struct Scope;

  H1Connection(ServiceBinding& binding, const sockaddr* peer);
  ~H1Connection() override;
  std::string_view protocol() const override { return "HTTP/1.1"; }
  bool idle() const override { return idle_; }

  io::Task<void> Serve();
  // False when the connection is over.
  io::Task<bool> Open();
  void BeginIdling();
  // Whether HTTP/2 begins here without having been agreed on (RFC 9113 section 3.3).
  io::Task<bool> BeginsH2();
  // False when it was the last.
  io::Task<bool> ServeOne();
  // Another request was served; whether others should have their turn before the next one.
  bool HadItsTurn();
  io::Task<void> GiveWay();
  io::Task<http::Failure> ReadHead();
  io::Task<void> RunExchange(http::Failure head_failure);
  exchange::IncomingRequest DescribeRequest();
  void DecideKeepAlive();
  void ForgetRequest();

  ssize_t Fill(io::Buffer& buffer, size_t least);
  io::Task<http::Failure> WriteAll(iovec* parts, int count, io::Timer& timer);
  void WriteHeadBytes(const http::ResponseHead& head, io::Buffer* out);
  io::Buffer in_;
  Scope* scope_ = nullptr;  // Null while idle.
  uint32_t turn_ = 0;       // The reactor's, its low half.
  int turn_requests_ = 0;   // Served in turn_.

  bool idle_ = false;
  bool h2_ = false;  // That is what the client speaks.
  // Of the present request:
  bool keep_alive_ = false;
  bool close_after_ = false;
  bool chunked_out_ = false;
  bool response_started_ = false;
  bool tunnel_ = false;
};

}  // namespace sluice::downstream
