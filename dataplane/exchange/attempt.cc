// One attempt: an endpoint, a connection to it, the request sent, the response head received.
#include <algorithm>

#include "dataplane/exchange/exchange.h"
#include "dataplane/exchange/upstream_head.h"
#include "dataplane/upstream/await_room.h"

namespace sluice::exchange {

using http::Failure;
using upstream::Requester;

namespace {

// Interim responses (1xx) of one exchange; an upstream that sends more is broken or hostile.
constexpr int kInterimMax = 32;

}  // namespace

UpstreamHead Exchange::DescribeUpstreamHead() {
  const route::Stripped stripped =
      request_.path == "*" ? route::Stripped{.path = path_, .removed = {}}
                           : route::StripPrefix(path_, route_->strip_prefix, &memory_.stripped);
  std::string_view host = request_.authority;
  if (!route_->host_rewrite.empty()) host = route_->host_rewrite;
  // HTTP/1.0 may come without one; HTTP/1.1 must not leave without (RFC 9112 section 3.2).
  if (host.empty()) host = cluster_->spec().name;
  return {.request = request_,
          .path = stripped.path,
          .removed_prefix = stripped.removed,
          .host = host,
          .request_id = request_id_,
          .traceparent = {traceparent_, kTraceparentChars},
          .trace_continued = trace_continued_,
          .peer_trusted = client_.peer_trusted,
          .upgrade = &upgrade_,
          .content_type = grpc_.content_type_upstream(),
          .grpc_timeout =
              grpc_ ? grpc_.TimeoutLeft(context_.reactor.now_micros()) : std::string_view()};
}

upstream::SendLimit Exchange::PumpLimit() {
  return {timers(), pump_timer_, service().timeouts.idle};
}

upstream::SendLimit Exchange::LimitFor(Attempt& attempt) {
  return {timers(), attempt.timer, service().timeouts.idle, DeadlineOf(attempt)};
}

io::Task<Failure> Exchange::Try(Attempt& attempt) {
  ++attempts_;
  attempt.reused = attempt.request_sent = false;
  attempt.sent_micros = 0;
  const io::Millis per_try = route_->per_try_timeout;
  attempt.deadline_micros =
      per_try.count() == 0 ? 0 : context_.reactor.now_micros() + io::Micros(per_try).count();
  Failure failure = attempt.load ? Failure::kNone : PickEndpoint(attempt);
  for (;;) {
    // Nobody waits beside an attempt that is under way.
    if (failure == Failure::kUpstreamOverflow && attempt.client != nullptr) {
      failure = co_await AwaitRoom(attempt);
    }
    if (failure != Failure::kNone) co_return failure;
    failure = co_await ObtainConnection(attempt);
    if (failure != Failure::kUpstreamOverflow) break;
    // There was one to be expected that it could have shared, and it turned out otherwise.
    attempt.load = {};
  }
  if (failure != Failure::kNone) co_return failure;
  failure = co_await SendRequest(attempt);
  if (failure != Failure::kNone) co_return failure;
  co_return co_await ReceiveHead(attempt);
}

Failure Exchange::PickEndpoint(Attempt& attempt) {
  attempt.endpoint = cluster_->Enter(WantedRoom(), false, &attempt.load);
  if (attempt.endpoint == upstream::Cluster::kNoEndpoint && !tried_.empty()) {
    // All have been tried: from the first again.
    tried_.Clear();
    attempt.endpoint = cluster_->Enter(WantedRoom(), false, &attempt.load);
  }
  if (attempt.endpoint >= 0) return Failure::kNone;
  const bool full = attempt.endpoint == upstream::Cluster::kNoRoom;
  return full ? Failure::kUpstreamOverflow : Failure::kNoEndpoint;
}

io::Task<Failure> Exchange::AwaitRoom(Attempt& attempt) {
  const io::Millis patience = cluster_->spec().admission->limits().pending_timeout;
  const upstream::RoomWanted room{.cluster = *cluster_,
                                  .wanted = WantedRoom(),
                                  .timer = attempt.timer,
                                  .limit = Within(attempt, patience),
                                  .client = *attempt.client};
  const Failure failure =
      co_await upstream::AwaitRoom(context_.reactor, room, &attempt.load, &attempt.endpoint);
  co_return failure == Failure::kUpstreamOverflow&& PastDeadline() ? Failure::kUpstreamTimeout
                                                                   : failure;
}

// The head, and a body that is already here as a whole. The rest is pumped beside what follows.
io::Task<Failure> Exchange::SendRequest(Attempt& attempt) {
  attempt.sent_micros = context_.reactor.now_micros();
  io::Task<Failure> sending = attempt.shared != nullptr ? SendByH2(attempt) : SendByH1(attempt);
  const Failure failure = co_await sending;
  // An upstream that answered and closed without reading all has still answered.
  if (failure != Failure::kNone && !attempt.upstream->may_have_answered()) co_return failure;
  if (body_is_whole_) {
    attempt.request_sent = failure == Failure::kNone;
    co_return Failure::kNone;
  }
  moved_micros_ = context_.reactor.now_micros();
  pump_ = PumpRequestBody();
  pump_.Start();
  co_return Failure::kNone;
}

io::Task<Failure> Exchange::SendByH1(Attempt& attempt) {
  attempt.upstream = &attempt.h1;
  if (attempt.head_out.empty()) WriteUpstreamHead(DescribeUpstreamHead(), &attempt.head_out);
  co_return co_await attempt.h1.SendRequest(attempt.head_out.view(), request_.head->framing,
                                            whole_body_, body_is_whole_, LimitFor(attempt));
}

io::Task<Failure> Exchange::SendByH2(Attempt& attempt) {
  attempt.h2 =
      std::make_unique<upstream::H2Client>(*attempt.shared, request_.head->method, attempt.wake);
  attempt.upstream = attempt.h2.get();
  const UpstreamHead head = DescribeUpstreamHead();
  ListUpstreamFields(head, &attempt.head_out, &memory_.upstream_fields);
  // gRPC: where no message follows, an empty DATA frame "MUST" end the request (PROTOCOL-HTTP2.md);
  // servers wait for ever where the head does.
  const bool bare = body_is_whole_ && whole_body_.empty() && !grpc_;
  if (!attempt.h2->Start({.method = request_.head->method_text,
                          .authority = head.host,
                          .path = head.path,
                          .query = request_.query,
                          .fields = memory_.upstream_fields},
                         bare)) {
    co_return Failure::kUpstreamReset;
  }
  attempt.head_out.Release();
  if (bare || !body_is_whole_) co_return Failure::kNone;
  static const std::vector<http::Field> kNoTrailers;
  co_return co_await attempt.h2->SendBody(whole_body_, true, kNoTrailers, LimitFor(attempt));
}

io::Task<Failure> Exchange::ReceiveHead(Attempt& attempt) {
  int interim = 0;
  ArmForResponse(attempt);
  for (;;) {
    switch (attempt.upstream->ReceiveHead(&attempt.response)) {
      case Requester::Progress::kWait: {
        const Failure failure = co_await AwaitUpstream(attempt);
        if (failure != Failure::kNone) co_return failure;
        continue;
      }
      case Requester::Progress::kClosed:
        co_return pump_failure_ != Failure::kNone ? pump_failure_ : Failure::kUpstreamReset;
      case Requester::Progress::kMalformed:
        co_return Failure::kUpstreamMalformed;
      case Requester::Progress::kReady:
        break;
    }
    if (attempt.response.status >= 200) break;
    if (attempt.response.status == 101 && AcceptsUpgrade(upgrade_, attempt.response)) break;
    // A switch that nobody asked for is a mistake (RFC 9110 section 15.2.2).
    if (attempt.response.status == 101 || ++interim > kInterimMax) {
      co_return Failure::kUpstreamMalformed;
    }
    if (!attempt.contested) {
      FilterResponseHead();
      const Failure failure = co_await responder_->SendInterim(memory_.filtered, attempt.timer);
      if (failure != Failure::kNone) co_return failure;
    }
    attempt.upstream->NextHead();
    ArmForResponse(attempt);
  }
  attempt.head_micros = context_.reactor.now_micros() - attempt.sent_micros;
  attempt.upstream->StartBody(attempt.response);
  attempt.deadline_micros = 0;
  co_return Failure::kNone;
}

// Until the upstream has sent something, or the exchange cannot go on.
io::Task<Failure> Exchange::AwaitUpstream(Attempt& attempt) {
  for (;;) {
    io::Wait wait;
    attempt.upstream->WaitToRead(wait);
    wait.Until(attempt.timer).On(attempt.wake);
    const bool half_closed = attempt.client != nullptr && attempt.client->closed();
    if (half_closed || !pump_.done()) {
      wait.Hangup(*attempt.client);
    } else if (attempt.client != nullptr) {
      wait.PeerClosed(*attempt.client);
    }
    switch (co_await wait) {
      case io::Wake::kReady:
        co_return Failure::kNone;
      case io::Wake::kTimeout:
        if (!PastDeadline() && PumpMovedWithin(route_->idle_timeout)) {
          ArmForResponse(attempt);
          continue;
        }
        co_return half_closed ? Failure::kClientGone : Failure::kUpstreamTimeout;
      case io::Wake::kHangup:
        co_return Failure::kClientGone;
      case io::Wake::kPeerClosed: {
        // It may still read: it gets some time, not more than the upstream has anyway.
        const io::Millis limit = service().timeouts.half_close;
        const io::Millis rest =
            route_->first_byte_timeout - std::chrono::duration_cast<io::Millis>(io::Micros(
                                             context_.reactor.now_micros() - attempt.sent_micros));
        const bool sooner =
            limit.count() > 0 && (route_->first_byte_timeout.count() == 0 || limit < rest);
        if (sooner) timers().Arm(attempt.timer, limit);
        continue;
      }
      case io::Wake::kSignal:
        // Something has come; or the request's body is through, or cannot be completed.
        if (pump_failure_ != Failure::kNone) co_return pump_failure_;
        if (pump_told_) ArmForResponse(attempt);
        pump_told_ = false;
        co_return Failure::kNone;
    }
  }
}

// The upstream's time starts when it has the whole request; until then the pump's own timer runs,
// but for gRPC, whose calls may have both sides speak as they like.
void Exchange::ArmForResponse(Attempt& attempt) {
  if (pump_.done()) {
    ArmUpstream(attempt, route_->first_byte_timeout);
  } else {
    ArmUpstream(attempt, grpc_ ? route_->idle_timeout : io::Millis(0));
  }
}

int64_t Exchange::DeadlineOf(const Attempt& attempt) const {
  int64_t nearest = 0;
  for (const int64_t deadline :
       {grpc_.deadline_micros(), deadline_micros_, attempt.deadline_micros}) {
    if (deadline != 0 && (nearest == 0 || deadline < nearest)) nearest = deadline;
  }
  return nearest;
}

bool Exchange::PastDeadline() const {
  const int64_t now = context_.reactor.now_micros();
  return grpc_.expired(now) || (deadline_micros_ != 0 && now >= deadline_micros_);
}

bool Exchange::PumpMovedWithin(io::Millis limit) const {
  return !pump_.done() && limit.count() != 0 &&
         context_.reactor.now_micros() - moved_micros_ < io::Micros(limit).count();
}

}  // namespace sluice::exchange
