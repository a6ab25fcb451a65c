#include "dataplane/exchange/exchange.h"

namespace sluice::exchange {

using http::Failure;

Exchange::Exchange(runtime::WorkerContext& context, runtime::WorkerRuntime& runtime,
                   const IncomingRequest& request, Responder& responder, Memory& memory)
    : context_(context),
      request_(request),
      responder_(&responder),
      memory_(memory),
      runtime_(context, runtime),
      first_attempt_(context.buffers, memory.response, &responder.client()),
      kept_body_(context.buffers) {}

Exchange::~Exchange() { StopPump(); }

io::Task<void> Exchange::Run() {
  failure_ = Resolve();
  if (failure_ == Failure::kNone) {
    // The route is fixed from here; its limits apply.
    if (route_->answer != nullptr) {
      failure_ = co_await Respond(*route_->answer);
    } else {
      failure_ = co_await Forward();
    }
  }
  if (failure_ != Failure::kNone) co_await Fail(failure_);
  Account();
}

io::Task<void> Exchange::Reject(Failure failure) {
  failure_ = failure;
  slot_ = service().no_route_slot;
  IdentifyRequest();
  co_await Fail(failure);
  Account();
}

io::Task<Failure> Exchange::Forward() {
  if (context_.gate.sheds_requests()) {
    context_.gate.CountShed(overload::Resource::kMemory);
    co_return Failure::kOverloaded;
  }
  const http::RequestHead& head = *request_.head;
  if (route_->body_bytes_max != 0 && head.framing == http::Framing::kLength &&
      head.content_length > route_->body_bytes_max) {
    co_return Failure::kBodyTooLarge;
  }
  const int choice = route_->choices.size() == 1
                         ? 0
                         : route::PickWeighted(route_->cumulative_weights, context_.random.Next());
  slot_ = route_->choices[static_cast<size_t>(choice)].slot;
  cluster_ = &runtime_.cluster(route_->choices[static_cast<size_t>(choice)].cluster);
  if (cluster_->spec().lb_strategy == v1::LB_STRATEGY_HASH) {
    const std::string_view query = request_.query;
    const upstream::HashInput input{client_.ip, path_, query.empty() ? query : query.substr(1),
                                    &head};
    hash_ = cluster_->spec().hash_key.Of(input);
  }
  if (const Failure failure = ReadUpgrade(request_, route_->upgrades, context_.random, &upgrade_);
      failure != Failure::kNone) {
    co_return failure;
  }
  if (grpc_) {
    if (const Failure failure = BeginGrpc(); failure != Failure::kNone) co_return failure;
  }
  if (upgrade_ && cluster_->spec().protocol == v1::UPSTREAM_PROTOCOL_HTTP2) {
    co_return Failure::kUpgradeRefused;
  }
  // What follows the head of an upgrade belongs to the other protocol.
  body_is_whole_ = upgrade_ || responder_->TakeWholeBody(&whole_body_);
  request_body_bytes_ = whole_body_.size();
  if (route_->body_bytes_max != 0 && request_body_bytes_ > route_->body_bytes_max) {
    co_return Failure::kBodyTooLarge;
  }
  const io::Millis total = route_->request_timeout;
  if (total.count() != 0 && !upgrade_ && !grpc_) {
    deadline_micros_ = request_.started_micros + io::Micros(total).count();
  }
  cluster_->BeginRequest(context_.reactor.now_micros());
  // Retry is the only step back.
  Failure last = Failure::kNone;
  for (;;) {
    io::Task<Failure> trying = IsHedged() ? TryHedged() : Try(*attempt_);
    const Failure failure = co_await trying;
    if (failure == Failure::kNone && !MayRetryResponse()) break;
    NoteOutcome(*attempt_, failure);
    // Nobody is left to try: what the last one did tells more.
    if (failure == Failure::kNoEndpoint && last != Failure::kNone) co_return last;
    last = failure;
    StopPump();
    const bool again = failure == Failure::kNone || MayRetry(failure);
    AbortUpstream(*attempt_, failure);
    if (grpc_.expired(context_.reactor.now_micros())) co_return Failure::kDeadlineExceeded;
    if (!again) co_return failure;
    const Failure waited = co_await BackOff();
    if (waited != Failure::kNone) co_return waited;
  }
  // A final response head is there. From now on the client sees what the upstream says.
  kept_body_.Lose();
  const bool switched = attempt_->response.status == 101;
  const bool endless = switched || IsEventStream(attempt_->response);
  if (endless) NoteOutcome(*attempt_, Failure::kNone);  // Its end may be hours away.
  const Failure failure = switched ? co_await RelayTunnel() : co_await RelayResponse();
  const bool request_complete = attempt_->request_sent && pump_.done();
  StopPump();
  if (failure != Failure::kNone || !endless) NoteOutcome(*attempt_, failure);
  if (failure != Failure::kNone) {
    AbortUpstream(*attempt_, failure);
    co_return failure;
  }
  if (attempt_->upstream == &attempt_->h1) {
    attempt_->h1.Finish(cluster_->pool(attempt_->endpoint), cluster_->LimitsOfReturn(),
                        request_complete);
  } else {
    cluster_->PassOn();
  }
  attempt_->h2.reset();
  attempt_->load = {};
  co_return failure;
}

Failure Exchange::BeginGrpc() {
  const Failure failure = grpc_.Begin(request_, context_.reactor.now_micros());
  // Where gRPC cannot be spoken, gRPC-Web may be what the upstream itself takes.
  const bool translates =
      grpc_.is_web() && cluster_->spec().protocol != v1::UPSTREAM_PROTOCOL_HTTP1;
  if (failure != Failure::kNone || !translates) return failure;
  grpc_.Translate();
  web_responder_.emplace(*responder_, grpc_, context_.buffers);
  responder_ = &*web_responder_;
  return Failure::kNone;
}

void Exchange::AbortUpstream(Attempt& attempt, Failure reason) {
  if (attempt.upstream != nullptr) attempt.upstream->Abort(reason);
  attempt.upstream = nullptr;
  attempt.h2.reset();
  attempt.load = {};
}

}  // namespace sluice::exchange
