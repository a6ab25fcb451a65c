// Idle connections to one endpoint, newest first, and the set of a worker's pools.
//
// Hot path: Take and Put make no system call. Owned by one worker. A pool lives as long as a
// cluster of the worker refers to it, whatever snapshots come and go.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "dataplane/io/reactor.h"
#include "dataplane/observe/metrics.h"
#include "dataplane/tls/stream.h"
#include "dataplane/upstream/cluster_spec.h"

namespace sluice::upstream {

class Pool;

// A connection to an endpoint, either lent to one exchange or idle in its pool.
class Connection {
 public:
  Connection(io::Reactor& reactor, observe::ClusterStats& stats);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  tls::Stream& stream() { return stream_; }
  uint32_t requests = 0;  // Started on it.
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
  ~Pool();

  // The connection used last, or null. Whatever an idle connection receives, closing included,
  // removes it, so what is returned was silent when the loop last looked.
  std::unique_ptr<Connection> Take();
  // Keeps it, or closes it when the limits say so. `peer_timeout`: what the peer's Keep-Alive field
  // allows, zero if it said nothing.
  void Put(std::unique_ptr<Connection> connection, const PoolLimits& limits,
           io::Millis peer_timeout);
  uint32_t idle() const { return idle_; }

 private:
  static void OnIdleEvent(void* connection);
  static void OnIdleTimeout(void* connection);
  void Unlink(Connection& connection);

  Connection* newest_ = nullptr;
  Connection* oldest_ = nullptr;
  uint32_t idle_ = 0;
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
