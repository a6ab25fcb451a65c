// One attempt: an endpoint, a connection to it, the request sent, the response head received.
#include <errno.h>

#include <algorithm>

#include "dataplane/exchange/exchange.h"
#include "dataplane/exchange/upstream_head.h"
#include "dataplane/http/h1_serializer.h"
#include "dataplane/upstream/connector.h"

namespace sluice::exchange {

using http::Failure;
using upstream::H1Client;

namespace {

// Interim responses (1xx) of one exchange; an upstream that sends more is broken or hostile.
constexpr int kInterimMax = 32;

// Of the last chunk with data, and of the body.
constexpr std::string_view kChunkedEnd = "\r\n0\r\n\r\n";

// RFC 9110 section 9.2.2: repeating it is what the client itself would do.
bool IsIdempotent(http::Method method) {
  switch (method) {
    case http::Method::kGet:
    case http::Method::kHead:
    case http::Method::kPut:
    case http::Method::kDelete:
    case http::Method::kOptions:
    case http::Method::kTrace:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Exchange::WriteHead() {
  const route::Stripped stripped =
      request_.path == "*" ? route::Stripped{.path = path_, .removed = {}}
                           : route::StripPrefix(path_, route_->strip_prefix, &memory_.stripped);
  std::string_view host = request_.authority;
  if (!route_->host_rewrite.empty()) host = route_->host_rewrite;
  // HTTP/1.0 may come without one; HTTP/1.1 must not leave without (RFC 9112 section 3.2).
  if (host.empty()) host = cluster_->spec().name;
  const UpstreamHead head{.request = request_,
                          .path = stripped.path,
                          .removed_prefix = stripped.removed,
                          .host = host,
                          .request_id = request_id_,
                          .traceparent = {traceparent_, kTraceparentChars},
                          .trace_continued = trace_continued_,
                          .peer_trusted = client_.peer_trusted,
                          .upgrade = &upgrade_};
  WriteUpstreamHead(head, &head_out_);
}

io::Task<Failure> Exchange::Attempt() {
  ++attempts_;
  endpoint_ = cluster_->Pick(hash_, tried_);
  if (endpoint_ < 0) co_return Failure::kNoEndpoint;
  load_ = upstream::Cluster::Load(*cluster_, endpoint_);
  Failure failure = co_await ObtainConnection(endpoint_);
  if (failure != Failure::kNone) co_return failure;
  failure = co_await SendRequest();
  if (failure != Failure::kNone) co_return failure;
  co_return co_await ReceiveHead();
}

io::Task<Failure> Exchange::ObtainConnection(int endpoint) {
  const http::Method method = request_.head->method;
  std::unique_ptr<upstream::Connection> pooled;
  if (!fresh_only_) pooled = cluster_->pool(endpoint).Take();
  if (pooled != nullptr) {
    cluster_->stats().pool_hits_total.Add();
    connect_micros_ = 0;
    client_side_.Start(std::move(pooled), method);
    co_return Failure::kNone;
  }
  const int64_t started = context_.reactor.now_micros();
  proxyproto::ConnectionEnds ends;
  if (cluster_->spec().proxy_header != proxyproto::HeaderVersion::kNone) {
    ends = FindClientEnds(client_, request_);
  }
  upstream::ConnectOutcome outcome = co_await upstream::Connect(
      context_.reactor, *cluster_, endpoint, timer_, &responder_.client(), ends);
  connect_micros_ = context_.reactor.now_micros() - started;
  if (outcome.failure == Failure::kNone) client_side_.Start(std::move(outcome.connection), method);
  co_return outcome.failure;
}

io::Task<Failure> Exchange::SendRequest() {
  sent_micros_ = context_.reactor.now_micros();
  timers().Arm(timer_, service().timeouts.idle);
  const std::string_view head = head_out_.view();
  iovec parts[4] = {{const_cast<char*>(head.data()), head.size()},
                    {},
                    {const_cast<char*>(whole_body_.data()), whole_body_.size()},
                    {}};
  char size_line[http::kChunkSizeLineMax];
  if (body_is_whole_ && request_.head->framing == http::Framing::kChunked) {
    std::string_view end = kChunkedEnd;
    if (whole_body_.empty()) {
      end.remove_prefix(2);  // There is no chunk to end.
    } else {
      parts[1] = {size_line, http::WriteChunkSizeLine(whole_body_.size(), size_line)};
    }
    parts[3] = {const_cast<char*>(end.data()), end.size()};
  }
  const Failure failure = co_await WriteUpstream(parts, 4, timer_);
  // An upstream that answered and closed without reading all has still answered.
  if (failure != Failure::kNone && !client_side_.stream().may_read()) co_return failure;
  if (body_is_whole_) {
    request_sent_ = failure == Failure::kNone;
    co_return Failure::kNone;
  }
  body_touched_ = true;
  pump_ = PumpRequestBody();
  pump_.Start();
  co_return Failure::kNone;
}

io::Task<Failure> Exchange::ReceiveHead() {
  int interim = 0;
  ArmForResponse();
  for (;;) {
    switch (client_side_.ReceiveHead(&memory_.response)) {
      case H1Client::Progress::kWait: {
        const Failure failure = co_await AwaitUpstream();
        if (failure != Failure::kNone) co_return failure;
        continue;
      }
      case H1Client::Progress::kClosed:
        co_return pump_failure_ != Failure::kNone ? pump_failure_ : Failure::kUpstreamReset;
      case H1Client::Progress::kMalformed:
        co_return Failure::kUpstreamMalformed;
      case H1Client::Progress::kReady:
        break;
    }
    if (memory_.response.status >= 200) break;
    if (memory_.response.status == 101 && AcceptsUpgrade(upgrade_, memory_.response)) break;
    // A switch that nobody asked for is a mistake (RFC 9110 section 15.2.2).
    if (memory_.response.status == 101 || ++interim > kInterimMax) {
      co_return Failure::kUpstreamMalformed;
    }
    FilterResponseHead();
    const Failure failure = co_await responder_.SendInterim(memory_.filtered, timer_);
    if (failure != Failure::kNone) co_return failure;
    client_side_.NextHead();
    ArmForResponse();
  }
  upstream_head_micros_ = context_.reactor.now_micros() - sent_micros_;
  client_side_.StartBody(memory_.response);
  co_return Failure::kNone;
}

// Until the upstream has sent something, or the exchange cannot go on.
io::Task<Failure> Exchange::AwaitUpstream() {
  for (;;) {
    io::Wait wait;
    client_side_.stream().WaitToRead(wait);
    wait.Until(timer_).On(pump_signal_);
    const bool half_closed = responder_.client().closed();
    if (half_closed || !pump_.done()) {
      wait.Hangup(responder_.client());
    } else {
      wait.PeerClosed(responder_.client());
    }
    switch (co_await wait) {
      case io::Wake::kReady:
        co_return Failure::kNone;
      case io::Wake::kTimeout:
        co_return half_closed ? Failure::kClientGone : Failure::kUpstreamTimeout;
      case io::Wake::kHangup:
        co_return Failure::kClientGone;
      case io::Wake::kPeerClosed: {
        // It may still read: it gets some time, not more than the upstream has anyway.
        const io::Millis limit = service().timeouts.half_close;
        const io::Millis rest =
            route_->request_timeout - std::chrono::duration_cast<io::Millis>(
                                          io::Micros(context_.reactor.now_micros() - sent_micros_));
        const bool sooner =
            limit.count() > 0 && (route_->request_timeout.count() == 0 || limit < rest);
        if (sooner) timers().Arm(timer_, limit);
        continue;
      }
      case io::Wake::kSignal:
        // The request's body is through, or cannot be completed.
        if (pump_failure_ != Failure::kNone) co_return pump_failure_;
        ArmForResponse();
        continue;
    }
  }
}

// The upstream's time starts when it has the whole request; until then the pump's own timer runs.
void Exchange::ArmForResponse() {
  if (pump_.done()) {
    timers().Arm(timer_, route_->request_timeout);
  } else {
    timers().Disarm(timer_);
  }
}

bool Exchange::MayRetry(Failure failure) {
  if (attempts_ >= route_->attempts_max + (fresh_only_ ? 1u : 0u)) return false;
  switch (failure) {
    case Failure::kConnectFailed:
    case Failure::kConnectTimeout:
    case Failure::kTlsFailed:
      // Nothing of the request has left.
      tried_.Add(static_cast<uint32_t>(endpoint_));
      return !body_touched_;
    case Failure::kUpstreamReset: {
      if (client_side_.response_started() || body_touched_ ||
          !IsIdempotent(request_.head->method)) {
        return false;
      }
      if (connect_micros_ == 0 && !fresh_only_) {
        // Closed by the upstream just as it was taken from the pool; the endpoint may be well.
        cluster_->stats().stale_connections_total.Add();
        fresh_only_ = true;
        return true;
      }
      tried_.Add(static_cast<uint32_t>(endpoint_));
      return true;
    }
    default:
      return false;
  }
}

}  // namespace sluice::exchange
