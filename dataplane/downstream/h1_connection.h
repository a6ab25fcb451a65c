// A client connection that speaks HTTP/1.x: reads heads one after the other, gives each request to
// an exchange, writes what it answers. Pipelined requests wait in the buffer, bounded by it.
//
// On the request path; tools/bench measures it whole. One worker's. An idle connection holds no
// buffer and no request memory.
#pragma once

#include <memory>
#include <string_view>

#include "dataplane/downstream/service_binding.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/exchange/responder.h"
#include "dataplane/http/target.h"
#include "dataplane/io/buffer.h"
#include "dataplane/io/task.h"
#include "dataplane/tls/stream.h"

namespace sluice::downstream {

class H1Connection final : public exchange::Responder {
 public:
  // Takes over `fd` and serves it; the connection deletes itself when it is over. `binding` must
  // outlive all its connections.
  static void Accept(ServiceBinding& binding, int fd, const sockaddr* peer);

  // For the listener: makes an idle connection go soon, a busy one after its exchange.
  void WindDown();
  // Ends it now, whatever it does.
  void Kill();

  // For people.
  struct Info {
    std::string peer;
    bool idle;
    bool encrypted;
    uint64_t requests;
    int64_t age_micros;
  };
  Info info() const;
  H1Connection* next() const { return next_; }

  // Responder:
  bool TakeWholeBody(std::string_view* body) override;
  io::Task<exchange::BodyPiece> ReadBody(io::Timer& timer) override;
  const std::vector<http::Field>& request_trailers() const override;
  bool body_read() const override;
  io::Task<http::Failure> SendInterim(const http::ResponseHead& head, io::Timer& timer) override;
  io::Task<http::Failure> SendHead(const http::ResponseHead& head, std::string_view body, bool last,
                                   io::Timer& timer) override;
  io::Task<http::Failure> SendBody(std::string_view body, bool last, io::Timer& timer) override;
  io::Task<http::Failure> SendEnd(const std::vector<http::Field>& trailers,
                                  io::Timer& timer) override;
  io::Socket* splice_target() override;
  void CloseAfterResponse() override { close_after_ = true; }
  void AbortResponse() override { aborted_ = true; }
  bool response_started() const override { return response_started_; }
  void WatchClient(io::Wait& wait) override { wait.PeerClosed(stream_.socket()); }
  exchange::ClientState client_state() const override;
  io::Socket* client_socket() override { return &stream_.socket(); }

 private:
  // What only an active connection needs.
  struct Scope;

  H1Connection(ServiceBinding& binding, const sockaddr* peer);
  ~H1Connection() override;
  static void Delete(void* connection);

  io::Task<void> Serve();
  io::Task<bool> Handshake();
  io::Task<bool> ServeOne();
  io::Task<http::Failure> ReadHead();
  io::Task<void> RunExchange(http::Failure head_failure);
  io::Task<void> Linger();
  exchange::IncomingRequest DescribeRequest();
  void DecideKeepAlive();
  void ForgetRequest();

  ssize_t Fill(io::Buffer& buffer, size_t least);
  io::Task<http::Failure> WriteAll(iovec* parts, int count, io::Timer& timer);
  void WriteHeadBytes(const http::ResponseHead& head, io::Buffer* out);
  observe::ListenerStats& stats() { return context_.stats.Listener(binding_.service().slot); }
  io::TimerWheel& timers() { return context_.reactor.timers(); }

  runtime::WorkerContext& context_;
  ServiceBinding& binding_;
  H1Connection* previous_ = nullptr;
  H1Connection* next_ = nullptr;
  tls::Stream stream_;
  io::Timer timer_;
  io::Buffer in_;
  io::Task<void> task_;
  Scope* scope_ = nullptr;  // Null while idle.
  int64_t accepted_micros_;
  uint64_t requests_ = 0;
  base::IpBytes peer_{};
  uint8_t peer_text_bytes_ = 0;
  char peer_text_[46];

  bool idle_ = false;
  // Of the present request:
  bool keep_alive_ = false;
  bool close_after_ = false;
  bool chunked_out_ = false;
  bool response_started_ = false;
  bool aborted_ = false;
};

}  // namespace sluice::downstream
