// Opens connections to endpoints: TCP, then TLS where the endpoint asks for it.
#pragma once

#include <memory>

#include "dataplane/http/failure.h"
#include "dataplane/io/task.h"
#include "dataplane/upstream/cluster.h"

namespace sluice::upstream {

struct ConnectOutcome {
  std::unique_ptr<Connection> connection;  // Null on failure.
  http::Failure failure = http::Failure::kNone;
};

// A new connection within the cluster's connect timeout, for which `timer` is used. `cluster` must
// outlive the task. kClientGone when `client` (may be null) is gone before.
io::Task<ConnectOutcome> Connect(io::Reactor& reactor, Cluster& cluster, int endpoint,
                                 io::Timer& timer, io::PeerState* client);

}  // namespace sluice::upstream
