// A connection for an attempt: a used one, one to share, or a new one.
#include "dataplane/exchange/exchange.h"
#include "dataplane/upstream/connector.h"

namespace sluice::exchange {

using http::Failure;
using upstream::SharedConnection;

io::Task<Failure> Exchange::ObtainConnection() {
  const upstream::ClusterSpec& spec = cluster_->spec();
  shared_ = nullptr;
  connect_micros_ = 0;
  bool may_share = spec.protocol != v1::UPSTREAM_PROTOCOL_HTTP1;
  if (spec.protocol == v1::UPSTREAM_PROTOCOL_AUTO) {
    const bool encrypted = !spec.endpoints[static_cast<size_t>(endpoint_)].server_name.empty();
    // A switch of protocols is HTTP/1.1's.
    may_share = encrypted && !upgrade_;
  }
  const int64_t started = context_.reactor.now_micros();
  io::Task<Failure> obtaining = may_share ? ObtainShared() : ObtainOwn();
  const Failure failure = co_await obtaining;
  connect_micros_ = context_.reactor.now_micros() - started;
  co_return failure;
}

bool Exchange::TakePooled() {
  if (fresh_only_) return false;
  std::unique_ptr<upstream::Connection> pooled = cluster_->pool(endpoint_).Take();
  if (pooled == nullptr) return false;
  cluster_->stats().pool_hits_total.Add();
  reused_ = true;
  client_side_.Start(std::move(pooled), request_.head->method);
  return true;
}

io::Task<Failure> Exchange::ObtainOwn() {
  if (TakePooled()) co_return Failure::kNone;
  proxyproto::ConnectionEnds ends;
  if (cluster_->spec().proxy_header != proxyproto::HeaderVersion::kNone) {
    ends = FindClientEnds(client_, request_);
  }
  upstream::ConnectOutcome outcome =
      co_await upstream::Connect(context_.reactor, *cluster_, endpoint_, tls::Alpn::kHttp1,
                                 ConnectTimeout(), timer_, &responder_->client(), ends);
  if (outcome.failure == Failure::kNone) {
    client_side_.Start(std::move(outcome.connection), request_.head->method);
  }
  co_return outcome.failure;
}

io::Task<Failure> Exchange::ObtainShared() {
  upstream::Pool& pool = cluster_->pool(endpoint_);
  for (;;) {
    shared_ = pool.FindShared();
    if (shared_ != nullptr) {
      cluster_->stats().pool_hits_total.Add();
      reused_ = true;
      co_return Failure::kNone;
    }
    if (TakePooled()) co_return Failure::kNone;
    // Where HTTP/1.1 is to be expected, everybody needs a connection of their own.
    SharedConnection* opening = pool.speaks_http1() ? nullptr : pool.FindConnecting();
    if (opening == nullptr) opening = &OpenShared(pool);
    ArmUpstream({});
    SharedConnection::Outcome outcome = co_await opening->Connected(responder_->client(), timer_);
    if (outcome.failure != Failure::kNone) co_return outcome.failure;
    if (outcome.http1 == nullptr) continue;
    client_side_.Start(std::move(outcome.http1), request_.head->method);
    co_return Failure::kNone;
  }
}

io::Millis Exchange::ConnectTimeout() const {
  const io::Millis own = route_->connect_timeout;
  return Within(own.count() != 0 ? own : cluster_->spec().connect_timeout);
}

SharedConnection& Exchange::OpenShared(upstream::Pool& pool) {
  const upstream::ClusterSpec& spec = cluster_->spec();
  SharedConnection::Options options{.endpoint = spec.endpoints[static_cast<size_t>(endpoint_)],
                                    .tls = spec.tls,
                                    .connect_timeout = ConnectTimeout(),
                                    .may_be_http1 = spec.protocol == v1::UPSTREAM_PROTOCOL_AUTO,
                                    .limits = cluster_->pool_limits()};
  auto made = std::make_unique<SharedConnection>(context_.reactor, context_.buffers,
                                                 cluster_->stats(), pool, std::move(options));
  SharedConnection& shared = *made;
  pool.Add(std::move(made));
  shared.Start();
  return shared;
}

}  // namespace sluice::exchange
