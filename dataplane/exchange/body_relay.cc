// Moving bodies, both ways, with bounded memory: each piece is written before the next is read, so
// a slow reader slows the sender down through TCP.
#include <errno.h>

#include "dataplane/exchange/exchange.h"
#include "dataplane/exchange/pipe_pool.h"
#include "dataplane/http/h1_serializer.h"
#include "dataplane/http/hop_by_hop.h"

namespace sluice::exchange {

using http::Failure;
using http::FieldId;
using upstream::Requester;

io::Task<void> Exchange::PumpRequestBody() {
  if (kept_body_.begun()) {
    const Failure failure = co_await SendPiece(kept_body_.Lend(), kept_body_.last());
    kept_body_.GiveBack();
    if (failure != Failure::kNone || kept_body_.last()) {
      TellPumped();
      co_return;
    }
  }
  for (;;) {
    timers().Arm(pump_timer_, service().timeouts.idle);
    const BodyPiece piece = co_await responder_->ReadBody(pump_timer_);
    // Once the upstream answers, what the client has still to say may depend on it.
    const bool may_be_silent = grpc_ || responder_->response_started();
    if (piece.failure == Failure::kRequestTimeout && may_be_silent) continue;
    if (piece.failure != Failure::kNone) {
      pump_failure_ = piece.failure;
      break;
    }
    moved_micros_ = context_.reactor.now_micros();
    request_body_bytes_ += piece.data.size();
    if (route_->body_bytes_max != 0 && request_body_bytes_ > route_->body_bytes_max) {
      pump_failure_ = Failure::kBodyTooLarge;
      break;
    }
    kept_body_.Keep(piece.data, piece.last);
    const Failure failure = co_await SendPiece(piece.data, piece.last);
    // The upstream may have answered before it closed; whoever reads its response decides.
    if (failure != Failure::kNone || piece.last) break;
  }
  TellPumped();
}

io::Task<Failure> Exchange::SendPiece(std::string_view piece, bool last) {
  const Failure failure = co_await attempt_->upstream->SendBody(
      piece, last, responder_->request_trailers(), PumpLimit());
  attempt_->request_sent = last && failure == Failure::kNone;
  co_return failure;
}

// Told after the coroutine has ended, since whoever hears it may destroy it.
void Exchange::TellPumped() {
  pump_deferred_ = true;
  context_.reactor.Defer(FirePumped, this);
}

void Exchange::FirePumped(void* exchange) {
  auto* self = static_cast<Exchange*>(exchange);
  self->pump_deferred_ = false;
  self->pump_told_ = true;
  self->attempt_->wake.Fire();
}

void Exchange::StopPump() {
  if (pump_deferred_) context_.reactor.Undefer(this);
  pump_deferred_ = pump_told_ = false;
  pump_.Cancel();
}

void Exchange::FilterResponseHead() {
  const http::ResponseHead& received = attempt_->response;
  http::ResponseHead& filtered = memory_.filtered;
  filtered.status = received.status;
  filtered.reason = received.reason;
  filtered.framing = received.framing;
  filtered.content_length = received.content_length;
  filtered.fields.clear();
  for (const http::Field& field : received.fields) {
    // A length without a body (HEAD, 304) is information for the client and passes as a field.
    if (field.id == FieldId::kContentLength && (received.framing != http::Framing::kNone ||
                                                received.status == 204 || received.status < 200)) {
      continue;
    }
    if (field.id == FieldId::kXSluice || !http::IsForwardable(received, field)) continue;
    filtered.fields.push_back(field);
  }
}

// Its end is nobody's deadline (WHATWG HTML section 9.2).
bool Exchange::IsEventStream(const http::ResponseHead& head) {
  for (const http::Field& field : head.fields) {
    if (field.id == FieldId::kContentType) return field.value.starts_with("text/event-stream");
  }
  return false;
}

io::Task<Failure> Exchange::RelayResponse() {
  FilterResponseHead();
  status_ = attempt_->response.status;
  // What has come of the body already leaves with the head.
  std::string_view piece;
  const Requester::Progress progress = attempt_->upstream->ReceiveBody(&piece);
  const bool bad =
      progress == Requester::Progress::kMalformed || progress == Requester::Progress::kClosed;
  if (bad && piece.empty() && attempt_->response.framing == http::Framing::kLength) {
    status_ = 0;
    co_return Failure::kUpstreamReset;  // Nothing was passed on yet: say so with a status.
  }
  const bool last = !bad && attempt_->upstream->body_done();
  const bool trailers = last && !attempt_->upstream->response_trailers().empty();
  attempt_->head_out.Release();
  if (IsEventStream(memory_.filtered)) deadline_micros_ = 0;
  responder_->LimitResponse(DeadlineOf(*attempt_));
  ArmClient();
  Failure failure =
      co_await responder_->SendHead(memory_.filtered, piece, last && !trailers, timer());
  if (failure != Failure::kNone) co_return failure;
  response_body_bytes_ += piece.size();
  if (trailers)
    co_return co_await responder_->SendEnd(attempt_->upstream->response_trailers(), timer());
  if (last) co_return Failure::kNone;
  if (bad) {
    responder_->AbortResponse();
    co_return Failure::kUpstreamBodyCut;
  }
  failure = co_await RelayBody();
  if (failure != Failure::kNone) responder_->AbortResponse();
  co_return failure;
}

io::Task<Failure> Exchange::RelayBody() {
  for (;;) {
    // Large clear bodies go from socket to socket without passing through our memory.
    http::BodyReader* const body =
        attempt_->upstream == &attempt_->h1 ? attempt_->h1.spliceable_body() : nullptr;
    if (body != nullptr && body->remaining() >= PipePool::kWorthwhileBytes) {
      io::Socket* client = responder_->splice_target();
      if (client != nullptr) co_return co_await SpliceBody(*body, *client);
    }
    std::string_view piece;
    switch (attempt_->upstream->ReceiveBody(&piece)) {
      case Requester::Progress::kWait: {
        if (PastDeadline()) co_return LateFailure(false);
        ArmForBody();
        const Failure failure = co_await AwaitBody();
        if (failure != Failure::kNone) co_return failure;
        continue;
      }
      case Requester::Progress::kClosed:
      case Requester::Progress::kMalformed:
        co_return Failure::kUpstreamBodyCut;
      case Requester::Progress::kReady:
        break;
    }
    const bool last = attempt_->upstream->body_done();
    const bool trailers = last && !attempt_->upstream->response_trailers().empty();
    ArmClient();
    const int64_t begun_micros = context_.reactor.now_micros();
    Failure failure = co_await responder_->SendBody(piece, last && !trailers, timer());
    if (failure != Failure::kNone) co_return failure;
    response_body_bytes_ += piece.size();
    if (trailers)
      co_return co_await responder_->SendEnd(attempt_->upstream->response_trailers(), timer());
    if (last) co_return Failure::kNone;
    // What keeps coming fires no timer.
    if (PastDeadline()) co_return LateFailure(context_.reactor.now_micros() != begun_micros);
  }
}

Failure Exchange::LateFailure(bool waited_for_client) const {
  if (grpc_.expired(context_.reactor.now_micros())) return Failure::kDeadlineExceeded;
  return waited_for_client ? Failure::kClientGone : Failure::kUpstreamBodyTimeout;
}

// A client that has stopped sending has perhaps left: only a write would tell, and there is none
// while the upstream is silent.
void Exchange::ArmForBody() {
  const io::Millis idle = route_->idle_timeout;
  const io::Millis half_close = service().timeouts.half_close;
  const bool sooner = responder_->client().closed() && half_close.count() > 0 &&
                      (idle.count() == 0 || half_close < idle);
  ArmUpstream(*attempt_, sooner ? half_close : idle);
}

io::Task<Failure> Exchange::AwaitBody() {
  for (;;) {
    io::Wait wait;
    attempt_->upstream->WaitToRead(wait);
    wait.Until(timer()).On(attempt_->wake);
    const bool half_closed = responder_->client().closed();
    if (half_closed || !pump_.done()) {
      wait.Hangup(responder_->client());
    } else {
      wait.PeerClosed(responder_->client());
    }
    switch (co_await wait) {
      case io::Wake::kReady:
      case io::Wake::kSignal:
        co_return Failure::kNone;
      case io::Wake::kTimeout:
        if (PastDeadline() || !PumpMovedWithin(route_->idle_timeout)) {
          co_return LateFailure(half_closed);
        }
        ArmForBody();
        continue;
      case io::Wake::kHangup:
        co_return Failure::kClientGone;
      case io::Wake::kPeerClosed:
        ArmForBody();
        continue;
    }
  }
}

io::Task<Failure> Exchange::SpliceBody(http::BodyReader& body, io::Socket& client) {
  Pipe pipe(PipePool::OfThread());
  if (!pipe.valid()) co_return Failure::kInternal;
  io::Socket& source = attempt_->h1.stream().socket();
  size_t held = 0;
  while (held > 0 || body.remaining() > 0) {
    bool moved = false;
    if (body.remaining() > 0 && held < PipePool::kPipeBytes && source.readable()) {
      const size_t wanted = std::min<uint64_t>(body.remaining(), PipePool::kPipeBytes - held);
      const ssize_t in = pipe.Fill(source, wanted);
      if (in == 0 || (in < 0 && in != -EAGAIN)) co_return Failure::kUpstreamBodyCut;
      if (in > 0) {
        body.Skip(static_cast<uint64_t>(in));
        held += static_cast<size_t>(in);
        moved = true;
      }
    }
    if (held > 0 && client.writable()) {
      const ssize_t out = pipe.Drain(client, held, body.remaining() > 0 && source.readable());
      if (out < 0 && out != -EAGAIN) co_return Failure::kClientGone;
      if (out > 0) {
        held -= static_cast<size_t>(out);
        response_body_bytes_ += static_cast<uint64_t>(out);
        moved = true;
      }
    }
    const bool to_client = held > 0;
    const bool over = held == 0 && body.remaining() == 0;
    if (!over && PastDeadline()) co_return LateFailure(to_client);
    if (moved) continue;
    const bool half_closed = client.peer().closed();
    io::Wait wait;
    wait.Until(timer());
    if (to_client) {
      wait.Writable(client);
      ArmClient();
    } else {
      wait.Readable(source);
      ArmForBody();
    }
    if (to_client || half_closed) {
      wait.Hangup(client.peer());
    } else {
      wait.PeerClosed(client.peer());
    }
    const io::Wake wake = co_await wait;
    if (wake == io::Wake::kHangup) co_return Failure::kClientGone;
    if (wake == io::Wake::kTimeout) co_return LateFailure(to_client || half_closed);
  }
  co_return Failure::kNone;
}

}  // namespace sluice::exchange
