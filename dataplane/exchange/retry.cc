// Whether a try that failed is followed by another, and when.
#include "dataplane/exchange/exchange.h"
#include "dataplane/http/char_class.h"

namespace sluice::exchange {

using http::Failure;
using runtime::RetryCondition;
using runtime::RetryPolicy;

namespace {

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

// A call that ended before it began: trailers only, with UNAVAILABLE.
bool IsUnavailable(const http::ResponseHead& head) {
  for (const http::Field& field : head.fields) {
    if (http::EqualsIgnoreCase(field.name, "grpc-status")) return field.value == "14";
  }
  return false;
}

}  // namespace

bool Exchange::MayRepeat() const {
  return route_->retry.non_idempotent || IsIdempotent(request_.head->method);
}

bool Exchange::HasTriesLeft() const {
  return attempts_ < route_->retry.attempts_max + hedges_ + (fresh_only_ ? 1u : 0u) &&
         !kept_body_.lost() && !PastDeadline();
}

bool Exchange::TakeRetry(RetryCondition condition) {
  if (!route_->retry.on(condition)) return false;
  return TakeRetry();
}

bool Exchange::TakeRetry() {
  tried_.Add(static_cast<uint32_t>(attempt_->endpoint));
  // What nobody has acted on costs nobody anything when it is sent elsewhere. Where all refuse,
  // that has an end.
  if (retry_at_once_ && HasNodeLeft()) {
    cluster_->stats().retries_total.Add();
    return true;
  }
  return cluster_->TakeRetry();
}

// Closed by the upstream just as it was taken from the pool; the endpoint may be well.
bool Exchange::IsStale(const Attempt& attempt, Failure failure) const {
  return failure == Failure::kUpstreamReset && attempt.reused && !fresh_only_ &&
         !kept_body_.lost() && !attempt.upstream->response_started() &&
         (attempt.upstream->refused() || MayRepeat());
}

bool Exchange::MayRetry(Failure failure) {
  if (IsStale(*attempt_, failure)) {
    cluster_->stats().stale_connections_total.Add();
    cluster_->stats().retries_total.Add();
    fresh_only_ = retry_at_once_ = true;
    return true;
  }
  if (!HasTriesLeft()) return false;
  retry_at_once_ = false;
  switch (failure) {
    case Failure::kConnectFailed:
    case Failure::kConnectTimeout:
    case Failure::kTlsFailed:
      // Nothing of the request has left.
      retry_at_once_ = true;
      return TakeRetry(RetryCondition::kConnectFailure);
    case Failure::kUpstreamReset: {
      if (attempt_->upstream->response_started()) return false;
      const bool refused = attempt_->upstream->refused();
      if (!refused && !MayRepeat()) return false;
      retry_at_once_ = refused;
      return TakeRetry(refused ? RetryCondition::kConnectFailure : RetryCondition::kReset);
    }
    case Failure::kUpstreamTimeout:
      return MayRepeat() && TakeRetry(RetryCondition::kTimeout);
    case Failure::kUpstreamMalformed:
      return MayRepeat() && TakeRetry(RetryCondition::kGatewayError);
    default:
      return false;
  }
}

bool Exchange::MayRetryResponse() {
  const RetryPolicy& policy = route_->retry;
  const http::ResponseHead& head = attempt_->response;
  const bool wanted = policy.OnStatus(head.status) ||
                      (grpc_ && policy.on(RetryCondition::kGatewayError) && IsUnavailable(head));
  retry_at_once_ = false;
  return wanted && MayRepeat() && HasTriesLeft() && TakeRetry();
}

io::Task<Failure> Exchange::BackOff() {
  // Another node need not wait for what happened at one that was not reached.
  if (retry_at_once_ && tried_.size() < cluster_->spec().endpoints.size()) {
    co_return Failure::kNone;
  }
  const io::Millis limit = route_->retry.BackoffAfter(attempts_);
  const auto delay = io::Millis(context_.random.Below(static_cast<uint64_t>(limit.count()) + 1));
  if (delay.count() == 0) co_return Failure::kNone;
  ArmUpstream(*attempt_, delay);
  io::Wait wait;
  wait.Until(timer()).Hangup(responder_->client());
  if (co_await wait == io::Wake::kHangup) co_return Failure::kClientGone;
  co_return PastDeadline() ? Failure::kUpstreamTimeout : Failure::kNone;
}

}  // namespace sluice::exchange
