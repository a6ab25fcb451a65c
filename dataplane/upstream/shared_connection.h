// An HTTP/2 connection to an endpoint, shared by many exchanges of a worker.
//
// On the request path, but for opening it. One worker's. Opened for its pool, which owns it, and
// not for any one exchange: it stays when that one's client has gone. Deletes itself when it is
// over and no exchange is left on it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "dataplane/h2/h2_session.h"
#include "dataplane/http/failure.h"
#include "dataplane/upstream/cluster_spec.h"
#include "dataplane/upstream/pool.h"

namespace sluice::upstream {

class SharedConnection final : private h2::SessionOwner {
 public:
  struct Options {
    EndpointSpec endpoint;                          // A copy: the cluster may go before.
    std::shared_ptr<const tls::ClientContext> tls;  // May be null without a server name.
    io::Millis connect_timeout;
    bool may_be_http1 = false;  // What ALPN agrees on; otherwise HTTP/2 it must be.
    PoolLimits limits;
  };
  // `pool` is to own it.
  SharedConnection(io::Reactor& reactor, io::BufferPool& buffers, observe::ClusterStats& stats,
                   Pool& pool, Options options);
  ~SharedConnection() override;
  SharedConnection(const SharedConnection&) = delete;
  SharedConnection& operator=(const SharedConnection&) = delete;

  void Start();
  // Where the cluster may have so many connections only: counts as one of them.
  void Hold(ConnectionSlot slot) { slot_ = std::move(slot); }
  const ConnectionSlot& slot() const { return slot_; }
  // Closes it, and gives up its slot, if nobody uses it. False: somebody does.
  bool Yield();
  bool connecting() const { return state_ == State::kConnecting; }
  // Connecting, and those who wait for it will find room.
  bool expects_room() const { return connecting() && waiting_ < pool_.streams_expected(); }
  // Once it is connected: whether it has had a request.
  bool used() const { return connection_->requests > 0; }
  // Takes another request.
  bool has_room() const {
    return state_ == State::kReady && !session_->going_away() && !exhausted() &&
           session_->streams() < streams_max();
  }

  // Until it is connected, or not. kClientGone when `client` (may be null) is gone before,
  // kConnectTimeout when `timer` comes first.
  struct Outcome {
    http::Failure failure = http::Failure::kNone;
    // The endpoint wanted HTTP/1.1: this is for the first who asks; null for the others.
    std::unique_ptr<Connection> http1;
  };
  io::Task<Outcome> Connected(io::PeerState* client, io::Timer& timer);

  // --- For requests on it.
  h2::H2Session& session() { return *session_; }
  bool encrypted() const { return connection_->stream().encrypted(); }
  int64_t now_micros() const { return reactor_.now_micros(); }
  void Enter();
  void Leave();
  // A request waited in vain since then. If nothing at all has come since, no others are sent here.
  void OnSilence(int64_t since_micros);

 private:
  static constexpr uint32_t kStreamWindow = 256 * 1024;
  enum class State : uint8_t { kConnecting, kReady, kOver };
  struct Waiter {
    explicit Waiter(SharedConnection& shared);
    ~Waiter() { Unlink(); }
    void Unlink();
    io::Signal told;
    SharedConnection* shared;  // Null when it is not waiting any more.
    Waiter* previous = nullptr;
    Waiter* next;
  };

  h2::H2Stream* OnOpen(int32_t) override { return nullptr; }
  void CountReceived(size_t) override { received_micros_ = reactor_.now_micros(); }
  void CountSent(size_t) override {}
  void CountAbuse() override {}  // Its requests fail, which is counted.

  io::Task<void> Serve();
  io::Task<http::Failure> Open();
  // Until the peer has told, what it told on other connections.
  uint32_t streams_max() const {
    const uint32_t told = session_->peer_streams_max();
    return told < Pool::kStreamsMax ? told : pool_.streams_expected();
  }
  // Has served as many requests as it may.
  bool exhausted() const {
    return options_.limits.requests_max != 0 &&
           connection_->requests >= options_.limits.requests_max;
  }
  void TellWaiters();
  void DropSoon();
  static void Drop(void* connection);

  io::Reactor& reactor_;
  io::BufferPool& buffers_;
  observe::ClusterStats& stats_;
  Pool& pool_;
  const Options options_;
  ConnectionSlot slot_;
  io::Timer timer_;
  std::unique_ptr<Connection> connection_;  // Null while connecting.
  std::optional<h2::H2Session> session_;
  http::Failure failure_ = http::Failure::kNone;
  State state_ = State::kConnecting;
  Waiter* waiters_ = nullptr;
  uint32_t waiting_ = 0;
  uint32_t users_ = 0;
  int64_t received_micros_ = 0;
  io::Task<void> task_;
};

}  // namespace sluice::upstream
