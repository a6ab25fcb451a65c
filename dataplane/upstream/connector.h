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

struct ConnectTarget {
  const EndpointSpec& endpoint;
  const tls::ClientContext* tls;  // May be null where the endpoint has no server name.
  io::Millis timeout;
  proxyproto::HeaderVersion proxy_header = proxyproto::HeaderVersion::kNone;
  tls::Alpn alpn = tls::Alpn::kConfigured;
  observe::ClusterStats& stats;
};

// A new connection within the timeout, for which `timer` is used. What `target` refers to, and
// `ends`, which a PROXY header names, must outlive the task. kClientGone when `client` (may be
// null) is gone before.
io::Task<ConnectOutcome> Connect(io::Reactor& reactor, ConnectTarget target, io::Timer& timer,
                                 io::PeerState* client, const proxyproto::ConnectionEnds& ends);

// To an endpoint of a cluster, as the cluster says.
io::Task<ConnectOutcome> Connect(io::Reactor& reactor, Cluster& cluster, int endpoint,
                                 tls::Alpn alpn, io::Millis timeout, io::Timer& timer,
                                 io::PeerState* client, const proxyproto::ConnectionEnds& ends);

}  // namespace sluice::upstream
