#include "dataplane/upstream/connector.h"

#include <errno.h>

#include "dataplane/proxyproto/header_writer.h"
#include "dataplane/upstream/cluster.h"

namespace sluice::upstream {
namespace {

using http::Failure;

Failure FailureOfWake(io::Wake wake) {
  return wake == io::Wake::kTimeout ? Failure::kConnectTimeout : Failure::kClientGone;
}

io::Task<Failure> OpenTcp(io::Reactor& reactor, tls::Stream& stream, const EndpointSpec& endpoint,
                          io::Timer& timer, io::PeerState* client) {
  const int started =
      stream.socket().Connect(reactor, &endpoint.socket_address, endpoint.socket_address_bytes);
  if (started == 0) co_return Failure::kNone;
  // Nothing the endpoint could help.
  if (started == EMFILE || started == ENFILE || started == ENOBUFS) co_return Failure::kOverloaded;
  if (started != EINPROGRESS) co_return Failure::kConnectFailed;
  io::Wait wait;
  wait.Writable(stream.socket()).Until(timer);
  if (client != nullptr) wait.Hangup(*client);
  const io::Wake wake = co_await wait;
  if (wake != io::Wake::kReady) co_return FailureOfWake(wake);
  co_return stream.socket().ConnectResult() == 0 ? Failure::kNone : Failure::kConnectFailed;
}

// Written at once in all likelihood: nothing is in the socket's buffer yet.
io::Task<Failure> SendProxyHeader(io::Socket& socket, proxyproto::HeaderVersion version,
                                  const proxyproto::ConnectionEnds& ends, io::Timer& timer,
                                  io::PeerState* client) {
  char header[proxyproto::kWrittenBytesMax];
  const size_t bytes = proxyproto::WriteHeader(version, ends, header);
  for (size_t sent = 0; sent < bytes;) {
    const ssize_t written = socket.writable() ? socket.Write(header + sent, bytes - sent) : -EAGAIN;
    if (written > 0) sent += static_cast<size_t>(written);
    if (written >= 0) continue;
    if (written != -EAGAIN) co_return Failure::kConnectFailed;
    io::Wait wait;
    wait.Writable(socket).Until(timer);
    if (client != nullptr) wait.Hangup(*client);
    const io::Wake wake = co_await wait;
    if (wake != io::Wake::kReady) co_return FailureOfWake(wake);
  }
  co_return Failure::kNone;
}

io::Task<Failure> HandshakeTls(tls::Stream& stream, io::Timer& timer, io::PeerState* client) {
  for (;;) {
    const int result = stream.Handshake();
    if (result == 1) co_return Failure::kNone;
    if (result != -EAGAIN) co_return Failure::kTlsFailed;
    io::Wait wait;
    stream.WaitToRead(wait);
    wait.Until(timer);
    if (client != nullptr) wait.Hangup(*client);
    const io::Wake wake = co_await wait;
    if (wake != io::Wake::kReady) co_return FailureOfWake(wake);
  }
}

}  // namespace

io::Task<ConnectOutcome> Connect(io::Reactor& reactor, ConnectTarget target, io::Timer& timer,
                                 io::PeerState* client, const proxyproto::ConnectionEnds& ends) {
  const EndpointSpec& spec = target.endpoint;
  target.stats.connects_total.Add();
  auto connection = std::make_unique<Connection>(reactor, target.stats);
  reactor.timers().Arm(timer, target.timeout);
  Failure failure = co_await OpenTcp(reactor, connection->stream(), spec, timer, client);
  if (failure == Failure::kNone && target.proxy_header != proxyproto::HeaderVersion::kNone) {
    failure = co_await SendProxyHeader(connection->stream().socket(), target.proxy_header, ends,
                                       timer, client);
  }
  if (failure == Failure::kNone && !spec.server_name.empty()) {
    auto session = target.tls->NewSession(spec.server_name, target.alpn);
    if (session == nullptr) {
      failure = Failure::kTlsFailed;  // A name nobody could be verified to have.
    } else {
      connection->stream().StartTls(std::move(session));
      failure = co_await HandshakeTls(connection->stream(), timer, client);
    }
  }
  reactor.timers().Disarm(timer);
  ConnectOutcome outcome;
  outcome.failure = failure;
  if (failure == Failure::kNone) {
    outcome.connection = std::move(connection);
  } else if (failure != Failure::kClientGone) {
    target.stats.connects_failed_total.Add();
  }
  co_return outcome;
}

io::Task<ConnectOutcome> Connect(io::Reactor& reactor, Cluster& cluster, int endpoint,
                                 tls::Alpn alpn, io::Millis timeout, io::Timer& timer,
                                 io::PeerState* client, const proxyproto::ConnectionEnds& ends) {
  const ClusterSpec& spec = cluster.spec();
  return Connect(reactor,
                 {.endpoint = spec.endpoints[static_cast<size_t>(endpoint)],
                  .tls = spec.tls.get(),
                  .timeout = timeout,
                  .proxy_header = spec.proxy_header,
                  .alpn = alpn,
                  .stats = cluster.stats()},
                 timer, client, ends);
}

}  // namespace sluice::upstream
