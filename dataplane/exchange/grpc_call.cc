#include "dataplane/exchange/grpc_call.h"

#include "dataplane/grpc/grpc_status.h"
#include "dataplane/grpc/status_message.h"
#include "dataplane/http/char_class.h"

namespace sluice::exchange {

using grpc::MediaType;
using http::Failure;
using http::FieldId;

void GrpcCall::Identify(const http::RequestHead& head) {
  for (const http::Field& field : head.fields) {
    if (field.id == FieldId::kContentType) content_type_ = field.value;
    if (field.id == FieldId::kAccept) accept_ = field.value;
  }
  if (content_type_.empty()) return;
  type_ = grpc::MediaTypeOf(content_type_);
  response_type_ = is_web() ? grpc::ResponseTypeOf(type_, accept_) : type_;
}

Failure GrpcCall::Begin(const IncomingRequest& request, int64_t now_micros) {
  if (!is_web() && request.protocol != "HTTP/2") return Failure::kGrpcRefused;
  for (const http::Field& field : request.head->fields) {
    if (!http::EqualsLower(field.name, "grpc-timeout")) continue;
    if (!timeout_.empty()) return Failure::kBadRequest;
    timeout_ = field.value;
    const auto timeout = grpc::ParseTimeout(timeout_);
    if (!timeout.has_value()) return Failure::kBadRequest;
    deadline_micros_ = now_micros + timeout->count() * 1000;
  }
  return Failure::kNone;
}

std::string_view GrpcCall::TimeoutLeft(int64_t now_micros) {
  if (deadline_micros_ == 0) return {};
  const std::chrono::microseconds left(deadline_micros_ - now_micros);
  const size_t chars =
      grpc::WriteTimeout(std::chrono::ceil<std::chrono::milliseconds>(left), timeout_left_);
  return {timeout_left_, chars};
}

void GrpcCall::Translate() {
  grpc::Translate(content_type_, MediaType::kGrpc, &content_type_upstream_);
}

std::string_view GrpcCall::content_type_downstream(std::string_view from_upstream) {
  grpc::Translate(from_upstream, response_type_, &content_type_downstream_);
  return content_type_downstream_;
}

void GrpcCall::DescribeFailure(Failure failure, std::string* text, http::ResponseHead* head) {
  const std::string_view message = http::TraitsOf(failure).text;
  text->resize(message.size() * grpc::kMessageBytesMax);
  text->resize(grpc::EncodeMessage(message, text->data()));
  head->status = 200;
  head->reason = {};
  head->fields.clear();
  head->fields.push_back(
      {"Content-Type", content_type_downstream("application/grpc"), FieldId::kContentType});
  head->fields.push_back({"grpc-status", grpc::TextOf(grpc::StatusOfFailure(failure))});
  head->fields.push_back({"grpc-message", *text});
  head->framing = http::Framing::kLength;
  head->content_length = 0;
}

}  // namespace sluice::exchange
