// One request of an HTTP/2 connection: what its exchange reads and answers goes over one stream.
//
// On the request path. One worker's. Owned by its connection, which drops it when its exchange is
// over.
#pragma once

#include <memory>

#include "dataplane/downstream/h2_connection.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/exchange/responder.h"
#include "dataplane/h2/h2_stream.h"
#include "dataplane/h2/request_head.h"

namespace sluice::downstream {

class H2Request final : public h2::H2Stream, public exchange::Responder {
 public:
  H2Request(H2Connection& connection, h2::H2Session& session, int32_t id);
  ~H2Request() override;

  H2Request* next() const { return next_; }

  // Responder:
  bool TakeWholeBody(std::string_view* body) override;
  io::Task<exchange::BodyPiece> ReadBody(io::Timer& timer) override;
  const std::vector<http::Field>& request_trailers() const override { return trailers(); }
  bool body_read() const override { return received_end() && !has_received(); }
  io::Task<http::Failure> SendInterim(const http::ResponseHead& head, io::Timer& timer) override;
  io::Task<http::Failure> SendHead(const http::ResponseHead& head, std::string_view body, bool last,
                                   io::Timer& timer) override;
  io::Task<http::Failure> SendBody(std::string_view body, bool last, io::Timer& timer) override;
  io::Task<http::Failure> SendSwitch(const http::ResponseHead& head, std::string_view protocol,
                                     io::Timer& timer) override;
  io::Task<http::Failure> SendEnd(const std::vector<http::Field>& trailers,
                                  io::Timer& timer) override;
  io::Socket* splice_target() override { return nullptr; }
  void LimitResponse(int64_t) override {}  // No progress prolongs what was given for a piece.
  void CloseAfterResponse() override {}  // Other requests of the connection are as good as before.
  void AbortResponse() override { Reset(NGHTTP2_INTERNAL_ERROR); }
  bool response_started() const override { return response_started_; }
  io::PeerState& client() override { return client_; }

 private:
  friend class H2Connection;

  void OnNews() override;
  void Begin();
  io::Task<void> Serve();
  http::Failure ReadHead();
  exchange::IncomingRequest Describe() const;

  H2Connection& connection_;
  H2Request* previous_ = nullptr;
  H2Request* next_ = nullptr;
  std::unique_ptr<exchange::Memory> memory_;
  h2::PseudoFields pseudo_;
  io::PeerState client_;
  io::Signal received_;
  io::Task<void> task_;
  int64_t started_micros_;
  uint64_t body_bytes_ = 0;
  bool begun_ = false;
  bool dropped_ = false;  // Without having begun.
  bool response_started_ = false;
};

}  // namespace sluice::downstream
