#include "dataplane/downstream/client_connection.h"

#include <errno.h>

#include <algorithm>
#include <cstring>

#include "dataplane/downstream/h1_connection.h"
#include "dataplane/downstream/tcp_connection.h"

namespace sluice::downstream {
namespace {

// How long, and how much, a client may go on sending after what was said last.
constexpr io::Millis kLingerTime{2000};
constexpr size_t kLingerBytesMax = 4 * 1024 * 1024;

}  // namespace

void ClientConnection::Accept(ServiceBinding& binding, int fd, const sockaddr* peer) {
  if (binding.service().tcp) return TcpConnection::Begin(binding, fd, peer);
  // HTTP/1.1 until ALPN or the first bytes say otherwise.
  H1Connection::Begin(binding, fd, peer);
}

ClientConnection::ClientConnection(ServiceBinding& binding, const sockaddr* peer)
    : context_(binding.context),
      binding_(binding),
      accepted_micros_(binding.context.reactor.now_micros()) {
  SetPeer(base::IpBytesOf(peer).value_or(base::IpBytes{}), base::PortOf(peer));
  stats().connections_total.Add();
  Link();
}

ClientConnection::ClientConnection(ClientConnection& other)
    : context_(other.context_),
      binding_(other.binding_),
      peer_(other.peer_),
      peer_port_(other.peer_port_),
      accepted_micros_(other.accepted_micros_),
      peer_text_bytes_(other.peer_text_bytes_) {
  std::memcpy(peer_text_, other.peer_text_, peer_text_bytes_);
  stream_.Adopt(other.stream_);
  Link();
}

void ClientConnection::SetPeer(const base::IpBytes& ip, uint16_t port) {
  peer_ = ip;
  peer_port_ = port;
  const std::string text = base::FormatIp(ip);
  peer_text_bytes_ = static_cast<uint8_t>(std::min(text.size(), sizeof peer_text_));
  std::memcpy(peer_text_, text.data(), peer_text_bytes_);
}

void ClientConnection::Link() {
  next_ = binding_.connections;
  if (next_ != nullptr) next_->previous_ = this;
  binding_.connections = this;
  binding_.open_connections.fetch_add(1, std::memory_order_relaxed);
  context_.gate.ConnectionOpened();
  stats().connections_active.Add();
}

ClientConnection::~ClientConnection() {
  if (aborted_) {
    stream_.Abort();
  } else {
    stream_.Close();
  }
  (previous_ != nullptr ? previous_->next_ : binding_.connections) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  binding_.open_connections.fetch_sub(1, std::memory_order_relaxed);
  context_.gate.ConnectionClosed();
  stats().connections_active.Sub();
}

void ClientConnection::Delete(void* connection) {
  delete static_cast<ClientConnection*>(connection);
}

void ClientConnection::DeleteSoon() { context_.reactor.Defer(Delete, this); }

void ClientConnection::Kill() {
  context_.reactor.Undefer(this);
  delete this;
}

ClientConnection::Info ClientConnection::info() const {
  return {.peer = std::string(peer_text()),
          .protocol = protocol(),
          .idle = idle(),
          .encrypted = stream_.encrypted(),
          .requests = requests_,
          .age_micros = context_.reactor.now_micros() - accepted_micros_};
}

bool ClientConnection::MaySendProxyHeader() const {
  const auto& senders = binding_.service().proxy_header_senders;
  return std::any_of(senders.begin(), senders.end(),
                     [this](const base::Cidr& block) { return block.Contains(peer_); });
}

io::Task<bool> ClientConnection::ReadProxyHeader() {
  using proxyproto::HeaderState;
  timers().Arm(timer_,
               binding_.winding_down() ? kWindDownGrace : binding_.service().timeouts.header);
  for (;;) {
    const HeaderState state = TakeProxyHeader();
    if (state == HeaderState::kDone) co_return true;
    if (state != HeaderState::kNeedMore) break;
    io::Wait wait;
    wait.Readable(stream_.socket()).Until(timer_);
    if (co_await wait == io::Wake::kTimeout) break;
  }
  stats().proxy_headers_refused_total.Add();
  co_return false;
}

// Takes exactly the header off the socket: what follows is for TLS. Until it is whole it stays
// there, so that a connection that waits holds no buffer.
proxyproto::HeaderState ClientConnection::TakeProxyHeader() {
  using proxyproto::HeaderState;
  char bytes[proxyproto::kHeaderBytesMax];
  io::Socket& socket = stream_.socket();
  const ssize_t peeked = socket.Peek(bytes, sizeof bytes);
  if (peeked == -EAGAIN) return HeaderState::kNeedMore;
  if (peeked < 0) return HeaderState::kMalformed;
  const proxyproto::ParsedHeader header =
      proxyproto::ParseHeader({bytes, static_cast<size_t>(peeked)});
  HeaderState state = header.state;
  // Nothing comes after an end of stream.
  if (state == HeaderState::kNeedMore && (peeked == 0 || socket.peer().closed())) {
    state = HeaderState::kAbsent;
  }
  if (state == HeaderState::kAbsent && !binding_.service().proxy_header_required) {
    state = HeaderState::kDone;
  }
  if (state != HeaderState::kDone) return state;
  socket.Discard(header.bytes, static_cast<size_t>(peeked));
  stats().bytes_received.Add(header.bytes);
  if (header.names_ends) SetPeer(header.ends.source, header.ends.source_port);
  return state;
}

io::Task<bool> ClientConnection::Handshake() {
  timers().Arm(timer_, binding_.service().timeouts.handshake);
  for (;;) {
    const int result = stream_.Handshake();
    if (result == 1) break;
    if (result == -EAGAIN) {
      io::Wait wait;
      stream_.WaitToRead(wait);
      wait.Until(timer_);
      if (co_await wait == io::Wake::kReady) continue;
    }
    stats().tls_handshakes_failed_total.Add();
    // The alert would be lost if the socket were closed while the client still sends: in TLS 1.3 it
    // has asked before it knows that its certificate is refused.
    stream_.DropTls();
    if (result != -EAGAIN && !stream_.socket().peer().gone()) co_await Linger();
    co_return false;
  }
  stats().tls_handshakes_total.Add();
  if (SSL_session_reused(stream_.ssl())) stats().tls_handshakes_resumed_total.Add();
  co_return true;
}

io::Task<void> ClientConnection::Linger() {
  stream_.ShutdownWrite();
  timers().Arm(timer_, kLingerTime);
  io::Buffer ignored(context_.buffers);
  ignored.Reserve(io::BufferPool::kSmallBytes);
  for (size_t discarded = 0; discarded < kLingerBytesMax;) {
    const ssize_t read = stream_.Read(ignored.data(), ignored.capacity());
    if (read > 0) {
      discarded += static_cast<size_t>(read);
      continue;
    }
    if (read != -EAGAIN) break;
    io::Wait wait;
    stream_.WaitToRead(wait);
    wait.Until(timer_);
    if (co_await wait == io::Wake::kTimeout) break;
  }
}

}  // namespace sluice::downstream
