// After the switch to another protocol: bytes flow both ways until both sides have ended, or
// nothing has moved for too long.
#include <algorithm>

#include "dataplane/exchange/exchange.h"

namespace sluice::exchange {

using http::Failure;
using upstream::Requester;

io::Task<Failure> Exchange::RelayTunnel() {
  FilterResponseHead();
  // In HTTP/2 there is no switch: the stream is the tunnel (RFC 8441 section 5).
  status_ = memory_.filtered.status = upgrade_.by_connect ? 200 : 101;
  if (upgrade_.by_connect) {
    std::erase_if(memory_.filtered.fields,
                  [](const http::Field& field) { return IsWebSocketAccept(field.name); });
  }
  attempt_->head_out.Release();
  timers().Arm(timer(), service().timeouts.idle);
  Failure failure = co_await responder_->SendSwitch(memory_.filtered, upgrade_.protocol, timer());
  if (failure != Failure::kNone) co_return failure;
  attempt_->h1.StartTunnel();
  moved_micros_ = context_.reactor.now_micros();
  pump_ = PumpTunnelUp();
  pump_.Start();
  failure = co_await RelayTunnelDown();
  if (failure == Failure::kNone && !pump_.done()) failure = co_await AwaitTunnelUp();
  if (failure == Failure::kNone) failure = pump_failure_;
  // A tunnel nobody used is closed like one that both sides have closed.
  if (failure != Failure::kNone && failure != Failure::kTunnelTimeout) responder_->AbortResponse();
  co_return failure;
}

// Either direction may be silent for long while the other is busy.
io::Millis Exchange::TunnelRest() const {
  const io::Micros silence(context_.reactor.now_micros() - moved_micros_);
  return route_->tunnel_timeout - std::chrono::duration_cast<io::Millis>(silence);
}

void Exchange::ArmForTunnel(io::Timer& timer) {
  if (route_->tunnel_timeout.count() == 0) {
    timers().Disarm(timer);
  } else {
    timers().Arm(timer, std::max(TunnelRest(), io::Millis(1)));
  }
}

io::Task<void> Exchange::PumpTunnelUp() {
  for (;;) {
    ArmForTunnel(pump_timer_);
    const BodyPiece piece = co_await responder_->ReadBody(pump_timer_);
    if (piece.failure == Failure::kRequestTimeout) {
      if (TunnelRest().count() > 0) continue;
      pump_failure_ = Failure::kTunnelTimeout;
      break;
    }
    pump_failure_ = piece.failure;
    if (pump_failure_ != Failure::kNone) break;
    request_body_bytes_ += piece.data.size();
    moved_micros_ = context_.reactor.now_micros();
    const iovec part{const_cast<char*>(piece.data.data()), piece.data.size()};
    pump_failure_ = co_await attempt_->h1.Write(&part, 1, PumpLimit());
    if (pump_failure_ != Failure::kNone) break;
    if (piece.last) {
      attempt_->h1.stream().ShutdownWrite();
      break;
    }
  }
  TellPumped();
}

io::Task<Failure> Exchange::RelayTunnelDown() {
  for (;;) {
    std::string_view piece;
    const Requester::Progress progress = attempt_->h1.ReceiveBody(&piece);
    if (progress == Requester::Progress::kWait) {
      ArmForTunnel(timer());
      io::Wait wait;
      attempt_->h1.stream().WaitToRead(wait);
      wait.Until(timer()).On(attempt_->wake).Hangup(responder_->client());
      const io::Wake wake = co_await wait;
      if (wake == io::Wake::kHangup) co_return Failure::kClientGone;
      if (wake == io::Wake::kTimeout && TunnelRest().count() <= 0) {
        co_return Failure::kTunnelTimeout;
      }
      if (wake == io::Wake::kSignal && pump_failure_ != Failure::kNone) co_return pump_failure_;
      continue;
    }
    if (progress != Requester::Progress::kReady) co_return Failure::kUpstreamBodyCut;
    const bool last = attempt_->h1.body_done();
    moved_micros_ = context_.reactor.now_micros();
    timers().Arm(timer(), service().timeouts.idle);
    const Failure failure = co_await responder_->SendBody(piece, last, timer());
    if (failure != Failure::kNone) co_return failure;
    response_body_bytes_ += piece.size();
    if (last) co_return Failure::kNone;
  }
}

// The upstream has ended: the client may still say something, but is given less time to.
io::Task<Failure> Exchange::AwaitTunnelUp() {
  timers().Arm(timer(), service().timeouts.half_close);
  io::Wait wait;
  wait.Until(timer()).On(attempt_->wake).Hangup(responder_->client());
  co_await wait;
  co_return Failure::kNone;
}

}  // namespace sluice::exchange
