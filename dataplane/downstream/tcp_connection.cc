#include "dataplane/downstream/tcp_connection.h"

#include <errno.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/route/route_table.h"
#include "dataplane/exchange/incoming_request.h"
#include "dataplane/exchange/request_id.h"
#include "dataplane/tls/client_hello.h"
#include "dataplane/upstream/await_room.h"
#include "dataplane/upstream/connector.h"

namespace sluice::downstream {

using http::Failure;

void TcpConnection::Begin(ServiceBinding& binding, int fd, const sockaddr* peer) {
  auto* connection = new TcpConnection(binding, peer);
  if (!connection->stream_.socket().OpenAccepted(binding.context.reactor, fd)) {
    delete connection;
    return;
  }
  const tls::ServerContext* const tls = connection->service_.tls.get();
  if (tls != nullptr) connection->stream_.StartTls(tls->NewSession());
  connection->task_ = connection->Serve();
  connection->task_.Start();
}

TcpConnection::TcpConnection(ServiceBinding& binding, const sockaddr* peer)
    : ClientConnection(binding, peer),
      runtime_(std::in_place, binding.context, binding.runtime->runtime()),
      service_(*runtime_->config().services[binding.service_index]),
      slot_(service_.no_route_slot),
      started_micros_(context_.reactor.now_micros()) {}

TcpConnection::~TcpConnection() {
  // Ended by its listener, which has waited long enough.
  if (requests_ > 0 && !accounted_) Account(Failure::kDraining);
  if (fire_deferred_) context_.reactor.Undefer(&up_over_);
  up_.Cancel();
  task_.Cancel();
}

void TcpConnection::WindDown() {
  if (upstream_ == nullptr) timers().Arm(timer_, kWindDownGrace);
}

io::Task<void> TcpConnection::Serve() {
  bool going = true;
  if (MaySendProxyHeader()) going = co_await ReadProxyHeader();
  if (going && stream_.encrypted()) going = co_await Handshake();
  if (going) {
    ++requests_;
    const Failure failure = co_await Run();
    if (failure != Failure::kNone && failure != Failure::kTunnelTimeout) aborted_ = true;
    if (aborted_ && upstream_ != nullptr) upstream_->stream().Abort();
    Account(failure);
  }
  upstream_.reset();
  timers().Disarm(timer_);
  DeleteSoon();
}

io::Task<Failure> TcpConnection::Run() {
  client_.ip = peer_text();
  Failure failure = co_await FindServerName();
  if (failure != Failure::kNone) co_return failure;
  failure = PickRoute();
  if (failure != Failure::kNone) co_return failure;
  failure = co_await Connect();
  if (failure != Failure::kNone) co_return failure;
  co_return co_await Relay();
}

io::Task<Failure> TcpConnection::FindServerName() {
  const auto& routes = service_.route_list;
  if (!service_.routes_by_name || routes.empty()) co_return Failure::kNone;
  if (stream_.encrypted()) {
    const char* name = SSL_get_servername(stream_.ssl(), TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) server_name_ = absl::AsciiStrToLower(name);
    co_return Failure::kNone;
  }
  io::Socket& socket = stream_.socket();
  io::Buffer peeked(context_.buffers);
  peeked.Reserve(tls::kClientHelloBytesMax);
  timers().Arm(timer_, service_.timeouts.handshake);
  for (;;) {
    const ssize_t bytes = socket.Peek(peeked.data(), tls::kClientHelloBytesMax);
    if (bytes < 0 && bytes != -EAGAIN) co_return Failure::kClientGone;
    if (bytes > 0) {
      const size_t count = static_cast<size_t>(bytes);
      tls::ClientHello hello = tls::ReadClientHello({peeked.data(), count});
      const bool over = count == tls::kClientHelloBytesMax || socket.peer().closed();
      if (hello.state != tls::ClientHello::State::kNeedMore || over) {
        socket.Discard(0, count);
        server_name_ = std::move(hello.server_name);
        co_return Failure::kNone;
      }
    }
    if (bytes == 0) co_return Failure::kClientGone;
    io::Wait wait;
    wait.Readable(socket).Until(timer_);
    if (co_await wait == io::Wake::kTimeout) co_return Failure::kRequestTimeout;
  }
}

Failure TcpConnection::PickRoute() {
  const int index = service_.routes.Find({.host = server_name_, .path = "/"});
  if (index == route::RouteTable::kNone) return Failure::kNoRoute;
  route_ = &service_.route_list[static_cast<size_t>(index)];
  const int choice = route_->choices.size() == 1
                         ? 0
                         : route::PickWeighted(route_->cumulative_weights, context_.random.Next());
  const runtime::ClusterChoice& chosen = route_->choices[static_cast<size_t>(choice)];
  slot_ = chosen.slot;
  cluster_ = &runtime_->cluster(chosen.cluster);
  return Failure::kNone;
}

io::Task<Failure> TcpConnection::Connect() {
  uint64_t hash = 0;
  const http::RequestHead no_head;
  if (cluster_->spec().lb_strategy == v1::LB_STRATEGY_HASH) {
    hash = cluster_->spec().hash_key.Of({client_.ip, "/", {}, &no_head});
  }
  exchange::IncomingRequest request;
  request.peer_ip = peer_text();
  request.peer = peer_;
  request.peer_port = peer_port_;
  request.client_fd = stream_.socket().fd();
  const proxyproto::ConnectionEnds ends = exchange::FindClientEnds(client_, request);
  upstream::TriedEndpoints tried;
  const upstream::Cluster::Wanted wanted{hash, tried};
  const io::Millis timeout = route_->connect_timeout.count() != 0
                                 ? route_->connect_timeout
                                 : cluster_->spec().connect_timeout;
  cluster_->BeginRequest(context_.reactor.now_micros());
  Failure last = Failure::kNone;
  for (;;) {
    ++attempts_;
    int endpoint = cluster_->Enter(wanted, false, &load_);
    if (endpoint == upstream::Cluster::kNoRoom) {
      const upstream::RoomWanted room{.cluster = *cluster_,
                                      .wanted = wanted,
                                      .timer = timer_,
                                      .limit = cluster_->spec().admission->limits().pending_timeout,
                                      .client = stream_.socket().peer()};
      const Failure failure =
          co_await upstream::AwaitRoom(context_.reactor, room, &load_, &endpoint);
      if (failure != Failure::kNone && failure != Failure::kNoEndpoint) co_return failure;
    }
    if (endpoint < 0) co_return last != Failure::kNone ? last : Failure::kNoEndpoint;
    endpoint_ = endpoint;
    upstream::ConnectOutcome outcome =
        co_await upstream::Connect(context_.reactor, *cluster_, endpoint_, tls::Alpn::kNone,
                                   timeout, timer_, &stream_.socket().peer(), ends);
    if (outcome.failure == Failure::kNone) {
      connect_micros_ = context_.reactor.now_micros() - started_micros_;
      upstream_ = std::move(outcome.connection);
      load_.GiveSlot(&upstream_->slot);
      NoteConnect(Failure::kNone);
      co_return Failure::kNone;
    }
    last = outcome.failure;
    NoteConnect(last);
    load_ = {};
    tried.Add(static_cast<uint32_t>(endpoint_));
    if (last == Failure::kClientGone || attempts_ >= route_->retry.attempts_max) co_return last;
    // Outside of the retry budget: nobody has acted on it, and each node is tried once.
    cluster_->stats().retries_total.Add();
  }
}

void TcpConnection::NoteConnect(Failure failure) {
  upstream::OutlierDetector* const outliers = cluster_->spec().outliers.get();
  if (outliers == nullptr) return;
  const auto endpoint = static_cast<size_t>(endpoint_);
  switch (failure) {
    case Failure::kNone:
      return outliers->Connected(endpoint);
    case Failure::kConnectFailed:
    case Failure::kConnectTimeout:
    case Failure::kTlsFailed:
      return outliers->ConnectFailed(endpoint, context_.reactor.unix_micros() / 1000);
    default:  // Not the endpoint's fault.
      return;
  }
}

void TcpConnection::Account(Failure failure) {
  accounted_ = true;
  const int64_t duration = context_.reactor.now_micros() - started_micros_;
  observe::RouteStats& route_stats = context_.stats.Route(slot_);
  route_stats.request_body_bytes.Add(bytes_up_);
  route_stats.response_body_bytes.Add(bytes_down_);
  if (failure != Failure::kNone) {
    context_.stats.Listener(service_.slot).failures[static_cast<size_t>(failure)].Add();
  }
  if (!context_.access_log.enabled()) return;
  char id[exchange::kUuidChars];
  exchange::WriteUuidV7(context_.reactor.unix_micros(), context_.random, id);
  observe::AccessRecord record;
  record.start_unix_micros = context_.reactor.unix_micros() - duration;
  record.service = service_.name;
  if (route_ != nullptr) record.route = route_->name;
  if (cluster_ != nullptr) {
    record.upstream = cluster_->spec().name;
    if (endpoint_ >= 0) {
      record.endpoint = cluster_->spec().endpoints[static_cast<size_t>(endpoint_)].address;
    }
  }
  record.request_id = {id, sizeof id};
  record.client = record.peer = peer_text();
  if (identity() != nullptr) record.client_cert_subject = identity()->subject;
  record.host = server_name_;
  record.protocol = "TCP";
  record.attempts = attempts_;
  record.request_body_bytes = bytes_up_;
  record.response_body_bytes = bytes_down_;
  record.duration_micros = duration;
  record.connect_micros = connect_micros_;
  record.failure = failure;
  record.version = runtime_->config().version.revision();
  context_.access_log.Append(record);
}

}  // namespace sluice::downstream
