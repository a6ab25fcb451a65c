// Waiting for room in a cluster whose circuit breaker lets no more requests pass.
#pragma once

#include "dataplane/http/failure.h"
#include "dataplane/io/task.h"
#include "dataplane/upstream/cluster.h"

namespace sluice::upstream {

struct RoomWanted {
  Cluster& cluster;
  Cluster::Wanted wanted;
  io::Timer& timer;
  io::Millis limit;  // Zero: none.
  io::PeerState& client;
};

// As Cluster::Enter, when it had no room. kUpstreamOverflow when the queue is full or the time
// over, kClientGone when the client is gone before.
io::Task<http::Failure> AwaitRoom(io::Reactor& reactor, RoomWanted room, Cluster::Load* load,
                                  int* endpoint);

}  // namespace sluice::upstream
