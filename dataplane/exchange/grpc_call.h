// What makes a request a call of gRPC or gRPC-Web, and what follows from it for the exchange.
//
// One exchange's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/exchange/incoming_request.h"
#include "dataplane/grpc/grpc_timeout.h"
#include "dataplane/grpc/media_type.h"
#include "dataplane/http/failure.h"

namespace sluice::exchange {

class GrpcCall {
 public:
  // For every request; nothing but a look at its fields' ids where it is none.
  void Identify(const http::RequestHead& head);
  explicit operator bool() const { return type_ != grpc::MediaType::kOther; }
  bool is_web() const {
    return type_ == grpc::MediaType::kGrpcWeb || type_ == grpc::MediaType::kGrpcWebText;
  }
  grpc::MediaType type() const { return type_; }
  // What a response to a gRPC-Web call is to be.
  grpc::MediaType response_type() const { return response_type_; }

  // Takes the deadline from grpc-timeout, counted from `now_micros`. A failure if that cannot be
  // read, or the protocol is HTTP/1, which gRPC itself cannot use.
  http::Failure Begin(const IncomingRequest& request, int64_t now_micros);
  // Monotonic; 0: none.
  int64_t deadline_micros() const { return deadline_micros_; }
  bool expired(int64_t now_micros) const {
    return deadline_micros_ != 0 && now_micros >= deadline_micros_;
  }

  // grpc-timeout as it goes on; empty if there is none. Good until the next call.
  std::string_view TimeoutLeft(int64_t now_micros);
  // Content-Type as it goes on, where that is another than received; otherwise empty.
  std::string_view content_type_upstream() const { return content_type_upstream_; }
  // Of what the client gets.
  std::string_view content_type_downstream(std::string_view from_upstream);
  // From now on messages are translated between gRPC-Web and gRPC.
  void Translate();
  // Sets `head` to a response that ends the call because of `failure`, trailers only. `text` holds
  // the message.
  void DescribeFailure(http::Failure failure, std::string* text, http::ResponseHead* head);

 private:
  std::string_view content_type_, accept_, timeout_;
  grpc::MediaType type_ = grpc::MediaType::kOther;
  grpc::MediaType response_type_ = grpc::MediaType::kOther;
  int64_t deadline_micros_ = 0;
  char timeout_left_[grpc::kTimeoutCharsMax];
  std::string content_type_upstream_, content_type_downstream_;
};

}  // namespace sluice::exchange
