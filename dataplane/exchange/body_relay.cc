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
using upstream::H1Client;

io::Task<Failure> Exchange::WriteUpstream(const iovec* parts, int count, io::Timer& timer) {
  // A copy, since a partial write moves the beginnings.
  iovec rest[4];
  int first = 0;
  for (int i = 0; i < count; ++i) rest[i] = parts[i];
  for (;;) {
    while (first < count && rest[first].iov_len == 0) ++first;
    if (first == count) co_return Failure::kNone;
    ssize_t written = client_side_.stream().Writev(rest + first, count - first);
    if (written == -EAGAIN) {
      io::Wait wait;
      client_side_.stream().WaitToWrite(wait);
      wait.Until(timer);
      if (co_await wait == io::Wake::kTimeout) co_return Failure::kUpstreamTimeout;
      timers().Arm(timer, service().timeouts.idle);
      continue;
    }
    if (written < 0) co_return Failure::kUpstreamReset;
    for (int i = first; written > 0; ++i) {
      const size_t taken = std::min(static_cast<size_t>(written), rest[i].iov_len);
      rest[i].iov_base = static_cast<char*>(rest[i].iov_base) + taken;
      rest[i].iov_len -= taken;
      written -= static_cast<ssize_t>(taken);
    }
  }
}

io::Task<void> Exchange::PumpRequestBody() {
  const bool chunked = request_.head->framing == http::Framing::kChunked;
  for (;;) {
    timers().Arm(pump_timer_, service().timeouts.idle);
    const BodyPiece piece = co_await responder_.ReadBody(pump_timer_);
    if (piece.failure != Failure::kNone) {
      pump_failure_ = piece.failure;
      break;
    }
    request_body_bytes_ += piece.data.size();
    if (route_->body_bytes_max != 0 && request_body_bytes_ > route_->body_bytes_max) {
      pump_failure_ = Failure::kBodyTooLarge;
      break;
    }
    char size_line[http::kChunkSizeLineMax];
    iovec parts[4] = {{}, {const_cast<char*>(piece.data.data()), piece.data.size()}, {}, {}};
    std::string end;
    if (chunked && !piece.data.empty()) {
      parts[0] = {size_line, http::WriteChunkSizeLine(piece.data.size(), size_line)};
      parts[2] = {const_cast<char*>("\r\n"), 2};
    }
    if (chunked && piece.last) {
      end = http::ChunkedEnd(responder_.request_trailers());
      parts[3] = {end.data(), end.size()};
    }
    timers().Arm(pump_timer_, service().timeouts.idle);
    const Failure failure = co_await WriteUpstream(parts, 4, pump_timer_);
    if (failure != Failure::kNone) {
      // The upstream may have answered before it closed; whoever reads its response decides.
      break;
    }
    if (piece.last) {
      request_sent_ = true;
      break;
    }
  }
  // Told after this coroutine has ended, since whoever hears it may destroy it.
  pump_deferred_ = true;
  context_.reactor.Defer(FirePumpSignal, this);
}

void Exchange::FirePumpSignal(void* exchange) {
  auto* self = static_cast<Exchange*>(exchange);
  self->pump_deferred_ = false;
  self->pump_signal_.Fire();
}

void Exchange::StopPump() {
  if (pump_deferred_) context_.reactor.Undefer(this);
  pump_deferred_ = false;
  pump_.Cancel();
}

void Exchange::FilterResponseHead() {
  const http::ResponseHead& received = memory_.response;
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

io::Task<Failure> Exchange::RelayResponse() {
  FilterResponseHead();
  status_ = memory_.response.status;
  // What has come of the body already leaves with the head.
  std::string_view piece;
  const H1Client::Progress progress = client_side_.ReceiveBody(&piece);
  const bool bad =
      progress == H1Client::Progress::kMalformed || progress == H1Client::Progress::kClosed;
  if (bad && piece.empty() && memory_.response.framing == http::Framing::kLength) {
    status_ = 0;
    co_return Failure::kUpstreamReset;  // Nothing was passed on yet: say so with a status.
  }
  const bool last = !bad && client_side_.body_done();
  const bool trailers = last && memory_.response.framing == http::Framing::kChunked &&
                        !client_side_.body().trailers().empty();
  head_out_.Release();
  timers().Arm(timer_, service().timeouts.idle);
  Failure failure =
      co_await responder_.SendHead(memory_.filtered, piece, last && !trailers, timer_);
  if (failure != Failure::kNone) co_return failure;
  response_body_bytes_ += piece.size();
  if (trailers) co_return co_await responder_.SendEnd(client_side_.body().trailers(), timer_);
  if (last) co_return Failure::kNone;
  if (bad) {
    responder_.AbortResponse();
    co_return Failure::kUpstreamBodyCut;
  }
  failure = co_await RelayBody();
  if (failure != Failure::kNone) responder_.AbortResponse();
  co_return failure;
}

io::Task<Failure> Exchange::RelayBody() {
  for (;;) {
    // Large clear bodies go from socket to socket without passing through our memory.
    if (!client_side_.stream().encrypted() && !client_side_.has_buffered() &&
        client_side_.body().framing() == http::Framing::kLength &&
        client_side_.body().remaining() >= PipePool::kWorthwhileBytes) {
      io::Socket* client = responder_.splice_target();
      if (client != nullptr) co_return co_await SpliceBody(*client);
    }
    std::string_view piece;
    switch (client_side_.ReceiveBody(&piece)) {
      case H1Client::Progress::kWait: {
        timers().Arm(timer_, route_->idle_timeout);
        const Failure failure = co_await AwaitBody();
        if (failure != Failure::kNone) co_return failure;
        continue;
      }
      case H1Client::Progress::kClosed:
      case H1Client::Progress::kMalformed:
        co_return Failure::kUpstreamBodyCut;
      case H1Client::Progress::kReady:
        break;
    }
    const bool last = client_side_.body_done();
    const bool trailers = last && !client_side_.body().trailers().empty();
    timers().Arm(timer_, service().timeouts.idle);
    Failure failure = co_await responder_.SendBody(piece, last && !trailers, timer_);
    if (failure != Failure::kNone) co_return failure;
    response_body_bytes_ += piece.size();
    if (trailers) co_return co_await responder_.SendEnd(client_side_.body().trailers(), timer_);
    if (last) co_return Failure::kNone;
  }
}

io::Task<Failure> Exchange::AwaitBody() {
  for (;;) {
    io::Wait wait;
    client_side_.stream().WaitToRead(wait);
    wait.Until(timer_).Hangup(responder_.client());
    switch (co_await wait) {
      case io::Wake::kReady:
        co_return Failure::kNone;
      case io::Wake::kTimeout:
        co_return Failure::kUpstreamBodyTimeout;
      case io::Wake::kHangup:
        co_return Failure::kClientGone;
      case io::Wake::kPeerClosed:
      case io::Wake::kSignal:
        continue;
    }
  }
}

io::Task<Failure> Exchange::SpliceBody(io::Socket& client) {
  Pipe pipe(PipePool::OfThread());
  if (!pipe.valid()) co_return Failure::kInternal;
  io::Socket& source = client_side_.stream().socket();
  http::BodyReader& body = client_side_.body();
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
    if (moved) continue;
    const bool to_client = held > 0;
    io::Wait wait;
    if (to_client) {
      wait.Writable(client);
      timers().Arm(timer_, service().timeouts.idle);
    } else {
      wait.Readable(source);
      timers().Arm(timer_, route_->idle_timeout);
    }
    wait.Until(timer_).Hangup(client.peer());
    const io::Wake wake = co_await wait;
    if (wake == io::Wake::kHangup) co_return Failure::kClientGone;
    if (wake == io::Wake::kTimeout) {
      co_return to_client ? Failure::kClientGone : Failure::kUpstreamBodyTimeout;
    }
  }
  co_return Failure::kNone;
}

}  // namespace sluice::exchange
