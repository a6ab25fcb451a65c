#include "dataplane/downstream/h2_request.h"

#include <algorithm>

#include "dataplane/exchange/exchange.h"
#include "dataplane/h2/field_list.h"

namespace sluice::downstream {

using http::Failure;

H2Request::H2Request(H2Connection& connection, h2::H2Session& session, int32_t id)
    : h2::H2Stream(session, id),
      connection_(connection),
      next_(connection.streams_),
      memory_(connection.binding_.memories.Take()),
      started_micros_(connection.context_.reactor.now_micros()) {
  if (next_ != nullptr) next_->previous_ = this;
  connection_.streams_ = this;
}

H2Request::~H2Request() {
  task_.Cancel();
  connection_.binding_.memories.Give(std::move(memory_));
  (previous_ != nullptr ? previous_->next_ : connection_.streams_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

// --- The life of a request.

void H2Request::OnNews() {
  if (!begun_) {
    if (dropped_) return;
    // What was taken back in the same breath is no request; what is refused is, and is accounted
    // for although the client hears no more than the reset.
    if (broken() && !refused()) {
      dropped_ = true;
      connection_.DropSoon(*this);
    } else if (head_ready() || refused()) {
      Begin();
    }
    return;
  }
  if (task_.done()) return;
  if (broken()) {
    client_.SetGone();
    // It may wait for something else, which has its own end.
    if (task_.done()) return;
  }
  received_.Fire();
}

void H2Request::Begin() {
  begun_ = true;
  ++connection_.requests_;
  task_ = Serve();
  task_.Start();
}

io::Task<void> H2Request::Serve() {
  const Failure failure = ReadHead();
  const exchange::IncomingRequest request = Describe();
  {
    exchange::Exchange exchange(connection_.context_, connection_.binding_.runtime->runtime(),
                                request, *this, *memory_);
    if (failure != Failure::kNone) {
      co_await exchange.Reject(failure);
    } else {
      co_await exchange.Run();
    }
  }
  connection_.DropSoon(*this);
}

Failure H2Request::ReadHead() {
  http::RequestHead& head = memory_->request;
  http::ParseError error =
      refused() ? http::ParseError::kBadField : http::ParseError::kHeadTooLarge;
  if (!refused() && !head_too_large()) {
    const h2::RequestHeadLimits limits{connection_.binding_.service().head_limits.target_bytes};
    error = h2::ReadRequestHead(this->head(), limits, received_end() && !has_received(),
                                &memory_->cookie, &pseudo_, &head);
  }
  if (error == http::ParseError::kNone) return Failure::kNone;
  // Nothing of a head that could not be read is believed, or logged as if it were.
  std::vector<http::Field> fields = std::move(head.fields);
  fields.clear();
  head = {};
  head.fields = std::move(fields);
  pseudo_ = {};
  return http::FailureOf(error);
}

exchange::IncomingRequest H2Request::Describe() const {
  const http::RequestHead& head = memory_->request;
  exchange::IncomingRequest request;
  request.head = &head;
  request.authority = pseudo_.authority;
  const size_t query = std::min(head.target.find('?'), head.target.size());
  request.path = head.target.substr(0, query);
  request.query = head.target.substr(query);
  // What the client claims in :scheme decides nothing.
  request.scheme = connection_.stream_.encrypted() ? "https" : "http";
  request.server_name = connection_.stream_.server_name();
  request.protocol = "HTTP/2";
  request.connect_protocol = pseudo_.protocol;
  request.peer_ip = connection_.peer_text();
  request.peer = connection_.peer_;
  request.peer_port = connection_.peer_port_;
  request.client_fd = connection_.stream_.socket().fd();
  request.identity = connection_.identity();
  request.service = connection_.binding_.service_index;
  request.started_micros = started_micros_;
  return request;
}

// --- The request's body.

bool H2Request::TakeWholeBody(std::string_view* body) {
  *body = {};
  if (!received_end() || !trailers().empty()) return false;
  if (has_received()) *body = TakeReceived();
  return true;
}

io::Task<exchange::BodyPiece> H2Request::ReadBody(io::Timer& timer) {
  exchange::BodyPiece piece;
  for (;;) {
    // Also where nothing has come: what was taken before is given back to the window.
    piece.data = TakeReceived();
    piece.last = received_end();
    if (!piece.data.empty() || piece.last) co_return piece;
    if (broken()) {
      piece.failure = Failure::kClientGone;
      co_return piece;
    }
    io::Wait wait;
    wait.Until(timer).On(received_);
    if (co_await wait == io::Wake::kTimeout) {
      piece.failure = Failure::kRequestTimeout;
      co_return piece;
    }
  }
}

// --- The response.

io::Task<Failure> H2Request::SendInterim(const http::ResponseHead& head, io::Timer& timer) {
  {
    const h2::FieldList list(head);
    if (!session().SubmitInterim(*this, list.fields())) co_return Failure::kClientGone;
  }
  // One by one: those a client does not take must not pile up.
  co_return co_await InterimSent(timer) == Sent::kDone ? Failure::kNone : Failure::kClientGone;
}

io::Task<Failure> H2Request::SendHead(const http::ResponseHead& head, std::string_view body,
                                      bool last, io::Timer& timer) {
  response_started_ = true;
  const bool bare = last && body.empty();
  {
    const h2::FieldList list(head);
    if (!session().SubmitHead(*this, list.fields(), bare)) co_return Failure::kClientGone;
  }
  if (bare) co_return Failure::kNone;
  co_return co_await SendBody(body, last, timer);
}

io::Task<Failure> H2Request::SendBody(std::string_view body, bool last, io::Timer& timer) {
  const Sent sent = co_await Send(body, last, nullptr, timer);
  // A client that takes nothing for so long has gone, as far as anybody can tell.
  co_return sent == Sent::kDone ? Failure::kNone : Failure::kClientGone;
}

io::Task<Failure> H2Request::SendSwitch(const http::ResponseHead& head, std::string_view,
                                        io::Timer&) {
  response_started_ = true;
  const h2::FieldList list(head);
  co_return session().SubmitHead(*this, list.fields(), false) ? Failure::kNone
                                                              : Failure::kClientGone;
}

io::Task<Failure> H2Request::SendEnd(const std::vector<http::Field>& trailers, io::Timer& timer) {
  const Sent sent = co_await Send({}, true, &trailers, timer);
  co_return sent == Sent::kDone ? Failure::kNone : Failure::kClientGone;
}

}  // namespace sluice::downstream
