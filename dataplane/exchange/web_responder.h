// The responder of a gRPC-Web call, as the exchange of a gRPC call sees it: requests are taken out
// of their framing for browsers, responses put into it, trailers become the body's last frame
// (PROTOCOL-WEB of gRPC).
//
// On the request path of gRPC-Web. One exchange's.
#pragma once

#include "dataplane/exchange/grpc_call.h"
#include "dataplane/exchange/responder.h"
#include "dataplane/grpc/web_request_decoder.h"
#include "dataplane/io/buffer.h"

namespace sluice::exchange {

class WebResponder final : public Responder {
 public:
  // Both must outlive it.
  WebResponder(Responder& client, GrpcCall& call, io::BufferPool& buffers)
      : client_(client), call_(call), decoder_(call.type()), decoded_(buffers), encoded_(buffers) {}

  bool TakeWholeBody(std::string_view* body) override;
  io::Task<BodyPiece> ReadBody(io::Timer& timer) override;
  const std::vector<http::Field>& request_trailers() const override;
  bool body_read() const override { return client_.body_read(); }

  io::Task<http::Failure> SendInterim(const http::ResponseHead& head, io::Timer& timer) override {
    return client_.SendInterim(head, timer);
  }
  io::Task<http::Failure> SendHead(const http::ResponseHead& head, std::string_view body, bool last,
                                   io::Timer& timer) override;
  io::Task<http::Failure> SendBody(std::string_view body, bool last, io::Timer& timer) override;
  io::Task<http::Failure> SendSwitch(const http::ResponseHead& head, std::string_view protocol,
                                     io::Timer& timer) override {
    return client_.SendSwitch(head, protocol, timer);
  }
  io::Task<http::Failure> SendEnd(const std::vector<http::Field>& trailers,
                                  io::Timer& timer) override;
  io::Socket* splice_target() override { return nullptr; }
  void LimitResponse(int64_t deadline_micros) override { client_.LimitResponse(deadline_micros); }
  void CloseAfterResponse() override { client_.CloseAfterResponse(); }
  void AbortResponse() override { client_.AbortResponse(); }
  bool response_started() const override { return client_.response_started(); }
  io::PeerState& client() override { return client_.client(); }

 private:
  // The next part of `body` in base64, taken from it.
  std::string_view Encode(std::string_view* body);
  bool encodes() const { return call_.response_type() == grpc::MediaType::kGrpcWebText; }

  Responder& client_;
  GrpcCall& call_;
  grpc::WebRequestDecoder decoder_;
  io::Buffer decoded_, encoded_;
  std::string_view received_;  // Not decoded yet.
  bool received_last_ = false;
  bool translates_ = false;  // The response is gRPC's, not some other answer.
  http::ResponseHead head_;
  std::string frame_;
};

}  // namespace sluice::exchange
