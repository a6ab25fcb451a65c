// Connections to one endpoint: idle ones of HTTP/1.1, newest first, and those of HTTP/2, which
// serve many requests at a time; and the set of a worker's pools.
//
// Hot path: Take and Put make no system call. Owned by one worker. A pool lives as long as a
// cluster of the worker refers to it, whatever snapshots come and go.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "dataplane/io/reactor.h"
#include "dataplane/observe/metrics.h"
#include "dataplane/tls/stream.h"
#include "dataplane/upstream/cluster_spec.h"

namespace sluice::upstream {

class Pool;
class SharedConnection;

// A connection to an endpoint, either lent to one exchange or idle in its pool.
class Connection {
 public:
  Connection(io::Reactor& reactor, observe::ClusterStats& stats);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  tls::Stream& stream() { return stream_; }
  uint32_t requests = 0;  // Started on it.
  ConnectionSlot slot;    // Where the cluster may have so many only.
  bool reused() const { return requests > 1; }

 private:
  friend class Pool;
  io::Reactor& reactor_;
  observe::ClusterStats& stats_;
  tls::Stream stream_;
  io::Timer idle_timer_;
  Pool* pool_ = nullptr;  // While idle.
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;
};

struct PoolLimits {
  io::Millis idle_timeout;
  uint32_t idle_max;
  uint32_t requests_max;
};

class Pool {
 public:
  Pool();
  ~Pool();

  // The connection used last, or null. Whatever an idle connection receives, closing included,
  // removes it, so what is returned was silent when the loop last looked.
  std::unique_ptr<Connection> Take();
  // Keeps it, or closes it when the limits say so. `peer_timeout`: what the peer's Keep-Alive field
  // allows, zero if it said nothing.
  void Put(std::unique_ptr<Connection> connection, const PoolLimits& limits,
           io::Millis peer_timeout);
  uint32_t idle() const { return idle_; }
  // Whether what Take would return counts among the connections of `admission`.
  bool HasIdleOf(const Admission* admission) const {
    return newest_ != nullptr && newest_->slot.is_of(admission);
  }
  // Closes one that nobody uses, of either kind. False if there is none.
  bool DropIdle();

  // --- HTTP/2.
  // Streams on one connection. More would wait for each other in its losses; many servers allow no
  // more.
  static constexpr uint32_t kStreamsMax = 100;
  // One with room for another request; null if there is none.
  SharedConnection* FindShared() const;
  // Whether the one that the next request would go to counts among those of `admission`.
  bool HasSharedOf(const Admission* admission) const;
  // One that is being opened and will have room.
  SharedConnection* FindConnecting() const;
  void Add(std::unique_ptr<SharedConnection> connection);
  // Destroys it.
  void Remove(SharedConnection& connection);
  // What the endpoint last agreed to where it had the choice.
  bool speaks_http1() const { return speaks_http1_; }
  void set_speaks_http1(bool it_does) { speaks_http1_ = it_does; }
  // How many streams the endpoint allows, as far as it is known.
  uint32_t streams_expected() const { return streams_expected_; }
  void set_streams_expected(uint32_t told) { streams_expected_ = std::min(told, kStreamsMax); }

 private:
  static void OnIdleEvent(void* connection);
  static void OnIdleTimeout(void* connection);
  void Unlink(Connection& connection);

  Connection* newest_ = nullptr;
  Connection* oldest_ = nullptr;
  uint32_t idle_ = 0;
  std::vector<std::unique_ptr<SharedConnection>> shared_;  // Few.
  bool speaks_http1_ = false;
  uint32_t streams_expected_ = kStreamsMax;
};

class PoolSet {
 public:
  // The pool under this key, made if there is none.
  std::shared_ptr<Pool> Get(const std::string& key);
  // Forgets keys whose pools are gone.
  void Collect();

 private:
  std::unordered_map<std::string, std::weak_ptr<Pool>> pools_;
};

}  // namespace sluice::upstream
