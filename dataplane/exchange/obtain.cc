// A connection for an attempt: a used one, one to share, or a new one.
#include "dataplane/exchange/exchange.h"
#include "dataplane/upstream/connector.h"

namespace sluice::exchange {

using http::Failure;
using upstream::SharedConnection;

io::Task<Failure> Exchange::ObtainConnection(Attempt& attempt) {
  attempt.shared = nullptr;
  attempt.connect_micros = 0;
  // A switch of protocols is HTTP/1.1's.
  const bool may_share = cluster_->Shares(attempt.endpoint) && !upgrade_;
  const int64_t started = context_.reactor.now_micros();
  io::Task<Failure> obtaining = may_share ? ObtainShared(attempt) : ObtainOwn(attempt);
  const Failure failure = co_await obtaining;
  attempt.connect_micros = context_.reactor.now_micros() - started;
  co_return failure;
}

bool Exchange::TakePooled(Attempt& attempt) {
  if (fresh_only_) return false;
  std::unique_ptr<upstream::Connection> pooled = cluster_->pool(attempt.endpoint).Take();
  if (pooled == nullptr) return false;
  cluster_->stats().pool_hits_total.Add();
  attempt.reused = true;
  attempt.load.GiveSlot(&pooled->slot);
  attempt.h1.Start(std::move(pooled), request_.head->method);
  return true;
}

io::Task<Failure> Exchange::ObtainOwn(Attempt& attempt) {
  if (TakePooled(attempt)) co_return Failure::kNone;
  if (!cluster_->TakeConnection(attempt.endpoint, &attempt.load)) {
    co_return Failure::kUpstreamOverflow;
  }
  proxyproto::ConnectionEnds ends;
  if (cluster_->spec().proxy_header != proxyproto::HeaderVersion::kNone) {
    ends = FindClientEnds(client_, request_);
  }
  upstream::ConnectOutcome outcome =
      co_await upstream::Connect(context_.reactor, *cluster_, attempt.endpoint, tls::Alpn::kHttp1,
                                 ConnectTimeout(attempt), attempt.timer, attempt.client, ends);
  if (outcome.failure == Failure::kNone) {
    attempt.load.GiveSlot(&outcome.connection->slot);
    attempt.h1.Start(std::move(outcome.connection), request_.head->method);
  }
  co_return outcome.failure;
}

io::Task<Failure> Exchange::ObtainShared(Attempt& attempt) {
  upstream::Pool& pool = cluster_->pool(attempt.endpoint);
  for (;;) {
    attempt.shared = pool.FindShared();
    if (attempt.shared != nullptr) {
      // One that was opened for this attempt serves it first.
      attempt.reused = attempt.shared->used();
      if (attempt.reused) cluster_->stats().pool_hits_total.Add();
      GiveSlot(attempt, *attempt.shared);
      co_return Failure::kNone;
    }
    if (TakePooled(attempt)) co_return Failure::kNone;
    // Where HTTP/1.1 is to be expected, everybody needs a connection of their own.
    SharedConnection* opening = pool.speaks_http1() ? nullptr : pool.FindConnecting();
    if (opening != nullptr) {
      GiveSlot(attempt, *opening);
    } else if (cluster_->TakeConnection(attempt.endpoint, &attempt.load)) {
      opening = &OpenShared(attempt, pool);
    } else {
      co_return Failure::kUpstreamOverflow;
    }
    ArmUpstream(attempt, {});
    SharedConnection::Outcome outcome = co_await opening->Connected(attempt.client, attempt.timer);
    if (outcome.failure != Failure::kNone) co_return outcome.failure;
    if (outcome.http1 == nullptr) continue;
    attempt.h1.Start(std::move(outcome.http1), request_.head->method);
    co_return Failure::kNone;
  }
}

io::Millis Exchange::ConnectTimeout(const Attempt& attempt) const {
  const io::Millis own = route_->connect_timeout;
  return Within(attempt, own.count() != 0 ? own : cluster_->spec().connect_timeout);
}

void Exchange::GiveSlot(Attempt& attempt, SharedConnection& shared) {
  upstream::ConnectionSlot slot;
  attempt.load.GiveSlot(&slot);
  if (slot) shared.Hold(std::move(slot));
}

SharedConnection& Exchange::OpenShared(Attempt& attempt, upstream::Pool& pool) {
  const upstream::ClusterSpec& spec = cluster_->spec();
  SharedConnection::Options options{
      .endpoint = spec.endpoints[static_cast<size_t>(attempt.endpoint)],
      .tls = spec.tls,
      .connect_timeout = ConnectTimeout(attempt),
      .may_be_http1 = spec.protocol == v1::UPSTREAM_PROTOCOL_AUTO,
      .limits = cluster_->pool_limits()};
  auto made = std::make_unique<SharedConnection>(context_.reactor, context_.buffers,
                                                 cluster_->stats(), pool, std::move(options));
  SharedConnection& shared = *made;
  GiveSlot(attempt, shared);
  pool.Add(std::move(made));
  shared.Start();
  return shared;
}

}  // namespace sluice::exchange
