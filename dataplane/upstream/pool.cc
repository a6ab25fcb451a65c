#include "dataplane/upstream/pool.h"

#include <errno.h>

#include <algorithm>

#include "dataplane/upstream/shared_connection.h"

namespace sluice::upstream {

namespace {

// Whether nothing has arrived that an idle connection must not receive. TLS session tickets may
// arrive at any time and are swallowed here. A read that got all it asked for leaves open whether
// there is more.
bool Silent(tls::Stream& stream) {
  stream.socket().Unpause();
  if (!stream.may_read()) return true;
  char byte;
  return stream.Read(&byte, 1) == -EAGAIN;
}

}  // namespace

Connection::Connection(io::Reactor& reactor, observe::ClusterStats& stats)
    : reactor_(reactor), stats_(stats) {
  stats_.connections_active.Add();
}

Connection::~Connection() {
  stream_.Close();
  stats_.connections_active.Sub();
}

Pool::Pool() = default;

Pool::~Pool() {
  while (newest_ != nullptr) {
    Connection* connection = newest_;
    Unlink(*connection);
    delete connection;
  }
}

std::unique_ptr<Connection> Pool::Take() {
  Connection* connection = newest_;
  if (connection == nullptr) return nullptr;
  Unlink(*connection);
  return std::unique_ptr<Connection>(connection);
}

void Pool::Put(std::unique_ptr<Connection> connection, const PoolLimits& limits,
               io::Millis peer_timeout) {
  if (limits.idle_max == 0 || !Silent(connection->stream_) ||
      (limits.requests_max != 0 && connection->requests >= limits.requests_max)) {
    return;
  }
  while (idle_ >= limits.idle_max) {
    Connection* oldest = oldest_;
    Unlink(*oldest);
    delete oldest;
  }
  io::Millis timeout = limits.idle_timeout;
  if (peer_timeout.count() > 0) {
    // A second less than the peer says, so that it is not the peer who closes first.
    const io::Millis safe = std::max(peer_timeout - io::Millis{1000}, io::Millis{500});
    if (timeout.count() == 0 || safe < timeout) timeout = safe;
  }
  Connection* kept = connection.release();
  kept->pool_ = this;
  kept->next_ = newest_;
  kept->previous_ = nullptr;
  (newest_ != nullptr ? newest_->previous_ : oldest_) = kept;
  newest_ = kept;
  ++idle_;
  kept->stats_.connections_idle.Add();
  kept->stream_.socket().set_idle_callback(OnIdleEvent, kept);
  kept->idle_timer_.set_callback(OnIdleTimeout, kept);
  kept->reactor_.timers().Arm(kept->idle_timer_, timeout);
}

bool Pool::DropIdle() {
  if (Connection* const oldest = oldest_; oldest != nullptr) {
    Unlink(*oldest);
    delete oldest;
    return true;
  }
  for (const auto& shared : shared_) {
    if (shared->Yield()) return true;
  }
  return false;
}

void Pool::OnIdleEvent(void* argument) {
  auto* connection = static_cast<Connection*>(argument);
  if (!connection->stream_.socket().peer().gone() && Silent(connection->stream_)) return;
  OnIdleTimeout(argument);
}

void Pool::OnIdleTimeout(void* argument) {
  auto* connection = static_cast<Connection*>(argument);
  connection->pool_->Unlink(*connection);
  delete connection;
}

void Pool::Unlink(Connection& connection) {
  (connection.previous_ != nullptr ? connection.previous_->next_ : newest_) = connection.next_;
  (connection.next_ != nullptr ? connection.next_->previous_ : oldest_) = connection.previous_;
  connection.previous_ = connection.next_ = nullptr;
  connection.pool_ = nullptr;
  --idle_;
  connection.stats_.connections_idle.Sub();
  connection.stream_.socket().set_idle_callback(nullptr, nullptr);
  connection.idle_timer_.set_callback(nullptr, nullptr);
  connection.reactor_.timers().Disarm(connection.idle_timer_);
}

SharedConnection* Pool::FindShared() const {
  for (const auto& shared : shared_) {
    if (shared->has_room()) return shared.get();
  }
  return nullptr;
}

bool Pool::HasSharedOf(const Admission* admission) const {
  const SharedConnection* shared = FindShared();
  if (shared == nullptr && !speaks_http1_) shared = FindConnecting();
  return shared != nullptr && shared->slot().is_of(admission);
}

SharedConnection* Pool::FindConnecting() const {
  for (const auto& shared : shared_) {
    if (shared->expects_room()) return shared.get();
  }
  return nullptr;
}

void Pool::Add(std::unique_ptr<SharedConnection> connection) {
  shared_.push_back(std::move(connection));
}

void Pool::Remove(SharedConnection& connection) {
  std::erase_if(shared_, [&connection](const auto& shared) { return shared.get() == &connection; });
}

std::shared_ptr<Pool> PoolSet::Get(const std::string& key) {
  std::weak_ptr<Pool>& entry = pools_[key];
  std::shared_ptr<Pool> pool = entry.lock();
  if (pool == nullptr) {
    pool = std::make_shared<Pool>();
    entry = pool;
  }
  return pool;
}

void PoolSet::Collect() {
  std::erase_if(pools_, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace sluice::upstream
