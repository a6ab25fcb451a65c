#include "dataplane/upstream/shared_connection.h"

#include "dataplane/upstream/connector.h"

namespace sluice::upstream {

using http::Failure;

SharedConnection::Waiter::Waiter(SharedConnection& shared_in)
    : shared(&shared_in), next(shared_in.waiters_) {
  if (next != nullptr) next->previous = this;
  shared->waiters_ = this;
  ++shared->waiting_;
}

void SharedConnection::Waiter::Unlink() {
  if (shared == nullptr) return;
  (previous != nullptr ? previous->next : shared->waiters_) = next;
  if (next != nullptr) next->previous = previous;
  --shared->waiting_;
  shared = nullptr;
}

SharedConnection::SharedConnection(io::Reactor& reactor, io::BufferPool& buffers,
                                   observe::ClusterStats& stats, Pool& pool, Options options)
    : reactor_(reactor),
      buffers_(buffers),
      stats_(stats),
      pool_(pool),
      options_(std::move(options)) {}

SharedConnection::~SharedConnection() {
  reactor_.Undefer(this);
  if (state_ == State::kReady && users_ == 0) stats_.connections_idle.Sub();
}

// --- Its life.

void SharedConnection::Start() {
  task_ = Serve();
  task_.Start();
}

io::Task<void> SharedConnection::Serve() {
  failure_ = co_await Open();
  const bool http2 = failure_ == Failure::kNone && !pool_.speaks_http1();
  if (!http2) {
    state_ = State::kOver;
    if (connection_ != nullptr) connection_->slot = std::move(slot_);
    slot_ = {};
    TellWaiters();
    // Nobody was left to take it.
    if (connection_ != nullptr) pool_.Put(std::move(connection_), options_.limits, {});
    DropSoon();
    co_return;
  }
  const h2::SessionOptions options{.side = h2::Side::kClient,
                                   .stream_window = kStreamWindow,
                                   // A stream nobody reads must not hold up the others.
                                   .connection_window = Pool::kStreamsMax * kStreamWindow,
                                   .idle_timeout = options_.limits.idle_timeout};
  session_.emplace(static_cast<h2::SessionOwner&>(*this), connection_->stream(), reactor_, buffers_,
                   timer_, options);
  state_ = State::kReady;
  stats_.connections_idle.Add();
  TellWaiters();
  co_await session_->Run({});
  state_ = State::kOver;
  if (users_ > 0) co_return;  // The last one drops it.
  stats_.connections_idle.Sub();
  DropSoon();
}

io::Task<Failure> SharedConnection::Open() {
  const proxyproto::ConnectionEnds nobody;
  const ConnectTarget target{.endpoint = options_.endpoint,
                             .tls = options_.tls.get(),
                             .timeout = options_.connect_timeout,
                             .stats = stats_};
  ConnectOutcome outcome = co_await Connect(reactor_, target, timer_, nullptr, nobody);
  if (outcome.failure != Failure::kNone) co_return outcome.failure;
  connection_ = std::move(outcome.connection);
  const bool agreed = !encrypted() || connection_->stream().agreed_protocol() == "h2";
  pool_.set_speaks_http1(!agreed && options_.may_be_http1);
  if (agreed || options_.may_be_http1) co_return Failure::kNone;
  connection_.reset();
  stats_.connects_failed_total.Add();
  co_return Failure::kTlsFailed;
}

void SharedConnection::DropSoon() { reactor_.Defer(Drop, this); }

void SharedConnection::Drop(void* connection) {
  auto* self = static_cast<SharedConnection*>(connection);
  self->pool_.Remove(*self);
}

// --- Waiting for it.

io::Task<SharedConnection::Outcome> SharedConnection::Connected(io::PeerState* client,
                                                                io::Timer& timer) {
  Outcome outcome;
  if (connecting()) {
    Waiter waiter(*this);
    io::Wait wait;
    wait.On(waiter.told).Until(timer);
    if (client != nullptr) wait.Hangup(*client);
    const io::Wake wake = co_await wait;
    if (wake != io::Wake::kSignal) {
      outcome.failure =
          wake == io::Wake::kTimeout ? Failure::kConnectTimeout : Failure::kClientGone;
      co_return outcome;
    }
  }
  outcome.failure = failure_;
  if (state_ == State::kOver) outcome.http1 = std::move(connection_);
  co_return outcome;
}

// Each goes on within the call, and others with it may give up.
void SharedConnection::TellWaiters() {
  while (Waiter* const waiter = waiters_) {
    waiter->Unlink();
    waiter->told.Fire();
  }
}

// --- Requests.

void SharedConnection::Enter() {
  ++connection_->requests;
  if (users_++ == 0) stats_.connections_idle.Sub();
}

void SharedConnection::Leave() {
  if (received_micros_ != 0) pool_.set_streams_expected(session_->peer_streams_max());
  if (--users_ > 0) return;
  if (state_ == State::kOver) return DropSoon();
  stats_.connections_idle.Add();
  if (exhausted() || options_.limits.idle_max == 0) session_->Shutdown({});
}

bool SharedConnection::Yield() {
  if (state_ != State::kReady || users_ > 0 || session_->going_away()) return false;
  session_->Shutdown({});
  slot_ = {};
  return true;
}

void SharedConnection::OnSilence(int64_t since_micros) {
  if (state_ == State::kReady && received_micros_ < since_micros) session_->Shutdown({});
}

}  // namespace sluice::upstream
