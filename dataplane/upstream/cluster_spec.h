// A cluster compiled for serving: immutable, shared by all workers and by every snapshot in which
// its configuration is the same.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/io/timer_wheel.h"
#include "dataplane/observe/metrics.h"
#include "dataplane/proxyproto/proxy_header.h"
#include "dataplane/tls/context.h"
#include "dataplane/upstream/admission.h"
#include "dataplane/upstream/endpoint_health.h"
#include "dataplane/upstream/hash_key.h"
#include "dataplane/upstream/outlier_detector.h"
#include "dataplane/upstream/panic.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::upstream {

struct EndpointSpec {
  std::string address;  // ip:port
  sockaddr_storage socket_address{};
  socklen_t socket_address_bytes = 0;
  uint32_t weight = 1;
  std::string server_name;  // TLS with this name; empty: clear text.
  std::shared_ptr<EndpointHealth> health;
  std::string pool_key;  // Connections under the same key are interchangeable.
};

inline proxyproto::HeaderVersion ProxyHeaderOf(const v1::Cluster& cluster) {
  switch (cluster.proxy_protocol()) {
    case v1::PROXY_PROTOCOL_V1:
      return proxyproto::HeaderVersion::kV1;
    case v1::PROXY_PROTOCOL_V2:
      return proxyproto::HeaderVersion::kV2;
    default:
      return proxyproto::HeaderVersion::kNone;
  }
}

struct ClusterSpec {
  std::string name;
  std::string identity;  // Equal identity: equal behaviour; the worker's state is kept.
  v1::LbStrategy lb_strategy = v1::LB_STRATEGY_LEAST_REQUEST;
  HashKey hash_key;
  std::vector<EndpointSpec> endpoints;
  std::shared_ptr<const tls::ClientContext> tls;  // Null: no endpoint needs it.
  io::Millis slow_start{0};                       // Until a new endpoint has its full weight.
  io::Millis connect_timeout{5000};
  io::Millis idle_timeout{60'000};
  uint32_t idle_connections_max = 256;  // Per endpoint.
  uint32_t requests_max = 0;            // Per connection; 0: no limit.
  uint32_t panic_threshold_percent = 50;
  std::shared_ptr<Admission> admission;       // Of all workers; null: no limit.
  std::shared_ptr<OutlierDetector> outliers;  // Of all workers; null: nobody is ejected.
  uint32_t retry_budget_percent = 20;         // Retries, of a worker's requests.
  // What a snapshot that is being prepared waits for the first checks of new endpoints.
  io::Millis warm_up{0};
  v1::UpstreamProtocol protocol = v1::UPSTREAM_PROTOCOL_HTTP1;
  // What connections begin with. Where they do, they belong to one client: none is kept.
  proxyproto::HeaderVersion proxy_header = proxyproto::HeaderVersion::kNone;
  observe::Slot slot = 0;

  // At this moment. Any thread.
  bool in_panic() const {
    const auto usable =
        std::count_if(endpoints.begin(), endpoints.end(),
                      [](const EndpointSpec& endpoint) { return endpoint.health->usable(); });
    return IsPanic(static_cast<size_t>(usable), endpoints.size(), panic_threshold_percent);
  }
};

}  // namespace sluice::upstream
