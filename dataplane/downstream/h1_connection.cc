#include "dataplane/downstream/h1_connection.h"

#include <errno.h>

#include "common/base/check.h"
#include "dataplane/downstream/h1_scope.h"
#include "dataplane/downstream/h2_connection.h"
#include "dataplane/exchange/exchange.h"

namespace sluice::downstream {

using http::Failure;

namespace {

// RFC 9113 section 3.4.
constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Pipelined requests that wait for nobody else are served at most so many in one turn of the loop.
constexpr int kRequestsPerTurn = 64;

}  // namespace

void H1Connection::Begin(ServiceBinding& binding, int fd, const sockaddr* peer) {
  auto* connection = new H1Connection(binding, peer);
  if (!connection->stream_.socket().OpenAccepted(binding.context.reactor, fd)) {
    delete connection;
    return;
  }
  const runtime::Service& service = binding.service();
  if (service.tls != nullptr) connection->stream_.StartTls(service.tls->NewSession());
  connection->task_ = connection->Serve();
  connection->task_.Start();
}

H1Connection::H1Connection(ServiceBinding& binding, const sockaddr* peer)
    : ClientConnection(binding, peer), in_(binding.context.buffers) {}

H1Connection::~H1Connection() { task_.Cancel(); }

void H1Connection::WindDown() {
  if (idle_) timers().Arm(timer_, kWindDownGrace);
}

// --- The life of a connection.

// What this frame holds an idle connection holds: whatever else needs to wait has a frame of its
// own.
io::Task<void> H1Connection::Serve() {
  bool going = co_await Open();
  while (going && !h2_) {
    ssize_t read = in_.empty() ? Fill(in_, 1) : 1;
    if (read == -EAGAIN) {
      BeginIdling();
      // It may be woken for nothing, or for a part of a TLS record; that gains it no time.
      while (read == -EAGAIN) {
        in_.Release();
        io::Wait wait;
        stream_.WaitToRead(wait);
        wait.Until(timer_);
        read = co_await wait == io::Wake::kReady ? Fill(in_, 1) : 0;
      }
      idle_ = false;
    }
    if (read <= 0) break;
    going = co_await ServeOne();
  }
  if (h2_) H2Connection::TakeOver(*this, in_.view());
  timers().Disarm(timer_);
  DeleteSoon();
}

// What comes before HTTP.
io::Task<bool> H1Connection::Open() {
  if (MaySendProxyHeader()) {
    idle_ = true;  // There is no request that could be lost.
    const bool going = co_await ReadProxyHeader();
    idle_ = false;
    if (!going) co_return false;
  }
  if (!stream_.encrypted()) co_return true;
  if (!co_await Handshake()) co_return false;
  h2_ = stream_.agreed_protocol() == "h2";
  co_return true;
}

void H1Connection::BeginIdling() {
  const runtime::DownstreamTimeouts& timeouts = binding_.service().timeouts;
  io::Millis patience = requests_ == 0 ? timeouts.header : timeouts.keep_alive;
  if (winding_down()) patience = kWindDownGrace;
  timers().Arm(timer_, patience);
  idle_ = true;
}

io::Task<void> H1Connection::GiveWay() {
  stream_.socket().Pause();
  io::Wait wait;
  wait.Readable(stream_.socket());
  co_await wait;
}

bool H1Connection::HadItsTurn() {
  const auto turn = static_cast<uint32_t>(context_.reactor.turn());
  if (turn_ != turn) {
    turn_ = turn;
    turn_requests_ = 0;
  }
  return ++turn_requests_ >= kRequestsPerTurn && !in_.empty();
}

io::Task<bool> H1Connection::BeginsH2() {
  timers().Arm(timer_, binding_.service().timeouts.header);
  while (in_.size() < kH2Preface.size() && kH2Preface.starts_with(in_.view())) {
    const ssize_t read = Fill(in_, 1);
    if (read > 0) continue;
    if (read != -EAGAIN) co_return false;
    io::Wait wait;
    stream_.WaitToRead(wait);
    wait.Until(timer_);
    if (co_await wait == io::Wake::kTimeout) co_return false;
  }
  co_return in_.view().starts_with(kH2Preface);
}

io::Task<bool> H1Connection::ServeOne() {
  if (requests_ == 0 && !stream_.encrypted() &&
      kH2Preface.starts_with(in_.view().substr(0, kH2Preface.size())) && co_await BeginsH2()) {
    h2_ = true;
    co_return false;
  }
  Scope scope(binding_);
  scope_ = &scope;
  keep_alive_ = close_after_ = chunked_out_ = response_started_ = tunnel_ = false;
  scope.started_micros = context_.reactor.now_micros();
  const Failure failure = co_await ReadHead();
  if (failure != Failure::kClientGone) {
    ++requests_;
    co_await RunExchange(failure);
    if (!keep_alive_ && !aborted_ &&
        (failure != Failure::kNone || !body_read() || stream_.may_read() ||
         stream_.socket().paused())) {
      in_.Release();
      co_await Linger();
    }
  }
  const bool again = failure == Failure::kNone && keep_alive_ && !aborted_;
  if (again) ForgetRequest();
  scope_ = nullptr;
  if (again && HadItsTurn()) co_await GiveWay();
  co_return again;
}

io::Task<Failure> H1Connection::ReadHead() {
  exchange::Memory& memory = *scope_->memory;
  const runtime::Service& service = binding_.service();
  memory.request_parser.Reset(service.head_limits);
  timers().Arm(timer_, service.timeouts.header);
  for (;;) {
    if (!in_.empty()) {
      switch (memory.request_parser.Parse(in_.view(), &memory.request)) {
        case http::ParseResult::kDone:
          scope_->head_bytes = memory.request_parser.consumed();
          co_return Failure::kNone;
        case http::ParseResult::kError:
          co_return http::FailureOf(memory.request_parser.error());
        case http::ParseResult::kNeedMore:
          break;
      }
      // The parser refuses a head beyond its limit, so this ends.
      if (in_.size() == in_.capacity()) in_.Reserve(in_.capacity() * 4);
    }
    const ssize_t read = Fill(in_, 1);
    if (read > 0) continue;
    // An end of stream inside a head leaves nothing to answer.
    if (read != -EAGAIN) co_return Failure::kClientGone;
    io::Wait wait;
    stream_.WaitToRead(wait);
    wait.Until(timer_);
    if (co_await wait == io::Wake::kTimeout) {
      co_return memory.request_parser.started() ? Failure::kRequestTimeout : Failure::kClientGone;
    }
  }
}

exchange::IncomingRequest H1Connection::DescribeRequest() {
  const http::RequestHead& head = scope_->memory->request;
  exchange::IncomingRequest request;
  request.head = &head;
  if (!head.target.empty()) {
    const http::Target target = http::SplitTarget(head.target, head.method);
    request.authority = target.authority.empty() ? head.host : target.authority;
    request.path = target.path;
    request.query = target.query;
  }
  request.scheme = stream_.encrypted() ? "https" : "http";
  request.server_name = stream_.server_name();
  request.protocol = head.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
  request.peer_ip = peer_text();
  request.peer = peer_;
  request.peer_port = peer_port_;
  request.client_fd = stream_.socket().fd();
  request.identity = identity();
  request.service = binding_.service_index;
  request.started_micros = scope_->started_micros;
  return request;
}

io::Task<void> H1Connection::RunExchange(Failure head_failure) {
  exchange::Memory& memory = *scope_->memory;
  if (head_failure != Failure::kNone) {
    // Nothing of a head that could not be read is believed, or logged as if it were.
    std::vector<http::Field> fields = std::move(memory.request.fields);
    fields.clear();
    memory.request = {};
    memory.request.fields = std::move(fields);
  } else {
    memory.request_body.Start(memory.request.framing, memory.request.content_length,
                              binding_.service().head_limits);
  }
  const exchange::IncomingRequest request = DescribeRequest();
  exchange::Exchange exchange(context_, binding_.runtime->runtime(), request, *this, memory);
  if (head_failure != Failure::kNone) {
    memory.request_body.Start(http::Framing::kUntilClose, 0, {});  // Never read to its end.
    co_await exchange.Reject(head_failure);
  } else {
    co_await exchange.Run();
  }
}

// Makes ready for the next request, whose beginning may be here already.
void H1Connection::ForgetRequest() {
  if (scope_->body.capacity() > 0) {
    in_.Swap(scope_->body);
  } else {
    in_.Consume(scope_->head_bytes + scope_->body_bytes_in);
  }
}

ssize_t H1Connection::Fill(io::Buffer& buffer, size_t least) {
  if (!stream_.may_read()) return -EAGAIN;
  buffer.Reserve(io::BufferPool::kSmallBytes);
  char* const tail = buffer.tail(least);
  const ssize_t read = stream_.Read(tail, buffer.room());
  if (read > 0) {
    buffer.Filled(static_cast<size_t>(read));
    stats().bytes_received.Add(static_cast<uint64_t>(read));
  }
  return read;
}

}  // namespace sluice::downstream
