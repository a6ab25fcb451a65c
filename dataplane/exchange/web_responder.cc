#include "dataplane/exchange/web_responder.h"

#include "dataplane/grpc/base64.h"
#include "dataplane/grpc/web_trailers.h"

namespace sluice::exchange {

using grpc::MediaType;
using http::Failure;
using http::FieldId;

// --- The request's body.

bool WebResponder::TakeWholeBody(std::string_view* body) {
  // It has to be taken apart, which is ReadBody's.
  received_last_ = client_.TakeWholeBody(&received_);
  *body = {};
  return false;
}

io::Task<BodyPiece> WebResponder::ReadBody(io::Timer& timer) {
  BodyPiece piece;
  for (;;) {
    while (!received_.empty()) {
      decoded_.Reserve(io::BufferPool::kLargeBytes);
      const auto step = decoder_.Decode(received_, decoded_.data(), decoded_.capacity());
      received_.remove_prefix(step.consumed);
      if (step.malformed) break;
      piece.data = step.data;
      piece.last = received_last_ && received_.empty() && decoder_.complete();
      if (!piece.data.empty()) co_return piece;
    }
    if (!received_.empty() || (received_last_ && !decoder_.complete())) {
      piece.failure = Failure::kBadRequest;
      co_return piece;
    }
    if (received_last_) {
      piece.data = {};
      piece.last = true;
      co_return piece;
    }
    const BodyPiece received = co_await client_.ReadBody(timer);
    if (received.failure != Failure::kNone) co_return received;
    received_ = received.data;
    received_last_ = received.last;
  }
}

const std::vector<http::Field>& WebResponder::request_trailers() const {
  static const std::vector<http::Field> kNone;
  return kNone;
}

// --- The response.

io::Task<Failure> WebResponder::SendHead(const http::ResponseHead& head, std::string_view body,
                                         bool last, io::Timer& timer) {
  head_ = head;
  for (http::Field& field : head_.fields) {
    if (field.id != FieldId::kContentType) continue;
    translates_ = grpc::MediaTypeOf(field.value) == MediaType::kGrpc;
    if (translates_) field.value = call_.content_type_downstream(field.value);
  }
  if (!translates_ || (last && body.empty())) {
    // Another answer than gRPC's; or a status without messages, which goes with the head.
    co_return co_await client_.SendHead(head_, body, last, timer);
  }
  head_.framing = http::Framing::kChunked;
  std::string_view rest = body;
  const std::string_view first = Encode(&rest);
  Failure failure = co_await client_.SendHead(head_, first, last && rest.empty(), timer);
  if (failure == Failure::kNone && !rest.empty()) failure = co_await SendBody(rest, last, timer);
  co_return failure;
}

io::Task<Failure> WebResponder::SendBody(std::string_view body, bool last, io::Timer& timer) {
  if (!translates_) co_return co_await client_.SendBody(body, last, timer);
  std::string_view rest = body;
  for (;;) {
    const std::string_view piece = Encode(&rest);
    const Failure failure = co_await client_.SendBody(piece, last && rest.empty(), timer);
    if (failure != Failure::kNone || rest.empty()) co_return failure;
  }
}

io::Task<Failure> WebResponder::SendEnd(const std::vector<http::Field>& trailers,
                                        io::Timer& timer) {
  if (!translates_) co_return co_await client_.SendEnd(trailers, timer);
  grpc::WriteTrailerFrame(trailers, &frame_);
  co_return co_await SendBody(frame_, true, timer);
}

std::string_view WebResponder::Encode(std::string_view* body) {
  if (!encodes() || body->empty()) return std::exchange(*body, {});
  encoded_.Reserve(io::BufferPool::kLargeBytes);
  const grpc::Base64Step step = grpc::EncodeBase64(*body, encoded_.data(), encoded_.capacity());
  body->remove_prefix(step.consumed);
  return {encoded_.data(), step.written};
}

}  // namespace sluice::exchange
