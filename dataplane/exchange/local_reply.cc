// Responses the proxy makes itself: fixed answers, redirects, failures.
#include "dataplane/exchange/exchange.h"

namespace sluice::exchange {

using http::Failure;
using http::FieldId;

namespace {

// Whether the client would rather have JSON than text: its first acceptable of the two.
bool PrefersJson(const http::RequestHead& head) {
  for (const http::Field& field : head.fields) {
    if (field.id != FieldId::kAccept) continue;
    const size_t json = field.value.find("application/json");
    const size_t text = field.value.find("text/");
    return json != std::string_view::npos && (text == std::string_view::npos || json < text);
  }
  return false;
}

}  // namespace

io::Task<Failure> Exchange::SendLocal(uint16_t status, std::string_view content_type,
                                      std::string_view body, std::string_view location) {
  http::ResponseHead& head = memory_.filtered;
  status_ = head.status = status;
  head.reason = {};
  head.fields.clear();
  const bool bodiless = status == 204 || status == 304;
  if (!bodiless && !content_type.empty()) head.fields.push_back({"Content-Type", content_type});
  if (!location.empty()) head.fields.push_back({"Location", location});
  if (status == 405)
    head.fields.push_back({"Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"});
  if (failure_ == Failure::kOverloaded) head.fields.push_back({"Retry-After", "1"});
  head.fields.push_back({"X-Request-ID", request_id_});
  head.framing = bodiless ? http::Framing::kNone : http::Framing::kLength;
  head.content_length = bodiless ? 0 : body.size();
  // A response to HEAD has the length of what GET would have brought (RFC 9110 section 9.3.2).
  if (bodiless || request_.head->method == http::Method::kHead) body = {};
  timers().Arm(timer(), service().timeouts.idle);
  const Failure failure = co_await responder_->SendHead(head, body, true, timer());
  if (failure == Failure::kNone) response_body_bytes_ += body.size();
  co_return failure;
}

io::Task<Failure> Exchange::Respond(const runtime::LocalAnswer& answer) {
  if (!answer.redirect) {
    co_return co_await SendLocal(answer.status, answer.content_type, answer.body, {});
  }
  // Absolute, so that a path such as //evil.test can never become an authority.
  std::string& location = memory_.text;
  location.assign(answer.scheme.empty() ? request_.scheme : std::string_view(answer.scheme));
  location += "://";
  if (!answer.host.empty()) {
    location += answer.host;
  } else if (answer.scheme.empty() || answer.scheme == request_.scheme) {
    location += request_.authority;
  } else {
    location += host_;  // The port belonged to the other scheme.
  }
  if (!answer.path.empty()) {
    location += answer.path;
  } else {
    location += path_;
    location += request_.query;
  }
  co_return co_await SendLocal(answer.status, {}, {}, location);
}

io::Task<void> Exchange::Fail(Failure failure) {
  if (responder_->response_started()) co_return;  // Already aborted; nothing can be said any more.
  const http::FailureTraits traits = http::TraitsOf(failure);
  if (traits.status == 0) {
    responder_->AbortResponse();
    co_return;
  }
  if (traits.closes) responder_->CloseAfterResponse();
  // A client of gRPC itself over HTTP/1 would not understand its status there.
  if (grpc_.is_web() || (grpc_ && request_.protocol == "HTTP/2")) {
    co_await FailGrpc(failure);
    co_return;
  }
  std::string& body = memory_.text;
  const std::string_view id = request_id_;
  std::string_view content_type = "text/plain; charset=utf-8";
  if (PrefersJson(*request_.head)) {
    content_type = "application/json";
    body = "{\"status\":" + std::to_string(traits.status) + ",\"code\":\"";
    body.append(traits.code).append("\",\"message\":\"").append(traits.text);
    body.append("\",\"request_id\":\"").append(id).append("\"}\n");
  } else {
    body = std::to_string(traits.status);
    body.append(" ").append(traits.text).append("\nrequest id: ").append(id).append("\n");
  }
  co_await SendLocal(traits.status, content_type, body, {});
}

io::Task<void> Exchange::FailGrpc(Failure failure) {
  http::ResponseHead& head = memory_.filtered;
  grpc_.DescribeFailure(failure, &memory_.text, &head);
  head.fields.push_back({"X-Request-ID", request_id_});
  status_ = head.status;
  timers().Arm(timer(), service().timeouts.idle);
  co_await responder_->SendHead(head, {}, true, timer());
}

}  // namespace sluice::exchange
