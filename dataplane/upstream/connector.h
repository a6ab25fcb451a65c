// Opens connections to endpoints: TCP, then a PROXY header, then TLS, where they ask for them.
#pragma once

#include <memory>

#include "dataplane/http/failure.h"
#include "dataplane/io/task.h"
#include "dataplane/proxyproto/proxy_header.h"
#include "dataplane/upstream/cluster.h"

namespace sluice::upstream {

struct ConnectOutcome {
  std::unique_ptr<Connection> connection;  // Null on failure.
  http::Failure failure = http::Failure::kNone;
};

// A new connection within the cluster's connect timeout, for which `timer` is used. `cluster` must
// outlive the task, as `ends`, which a PROXY header names. kClientGone when `client` (may be null)
// is gone before.
io::Task<ConnectOutcome> Connect(io::Reactor& reactor, Cluster& cluster, int endpoint,
                                 io::Timer& timer, io::PeerState* client,
                                 const proxyproto::ConnectionEnds& ends);

}  // namespace sluice::upstream
