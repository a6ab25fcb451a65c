// A snapshot compiled for serving: immutable, shared by all workers.
//
// Made and destroyed on the control thread; workers borrow it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/address.h"
#include "common/route/route_table.h"
#include "dataplane/http/h1_parser.h"
#include "dataplane/io/timer_wheel.h"
#include "dataplane/observe/metrics.h"
#include "dataplane/runtime/retry_policy.h"
#include "dataplane/tls/context.h"
#include "dataplane/upstream/cluster_spec.h"
#include "sluice/v1/settings.pb.h"
#include "sluice/v1/snapshot.pb.h"

namespace sluice::runtime {

// Answered by the proxy itself: a fixed response or a redirect.
struct LocalAnswer {
  bool redirect = false;
  uint16_t status = 200;
  std::string body, content_type;  // Fixed response.
  std::string scheme, host, path;  // Redirect; empty: the request's own.
};

struct ClusterChoice {
  uint32_t cluster;    // Index into RuntimeConfig::clusters.
  observe::Slot slot;  // Statistics of (service, route, cluster).
};

struct Route {
  std::string name;
  std::vector<ClusterChoice> choices;        // Empty: `answer` is set.
  std::vector<uint32_t> cumulative_weights;  // Empty where there is one choice.
  std::unique_ptr<LocalAnswer> answer;
  std::string strip_prefix, host_rewrite;
  // Zero: no limit, but for `connect_timeout`: the cluster's.
  io::Millis connect_timeout{0}, first_byte_timeout{0}, per_try_timeout{0}, request_timeout{0};
  io::Millis idle_timeout{0}, tunnel_timeout{0};
  std::vector<std::string> upgrades;  // Protocols a request may switch to, in lower case.
  uint64_t body_bytes_max = 0;        // Zero: no limit.
  RetryPolicy retry;
  bool keep_encoded_slashes = false;
  observe::Slot local_slot = 0;  // Where `answer` is counted.
};

struct DownstreamTimeouts {
  io::Millis handshake{0}, header{0}, idle{0}, keep_alive{0}, half_close{0};
};

struct Service {
  explicit Service(const v1::RouteTable& table) : routes(table) {}

  std::string name;
  bool tcp = false;             // Bytes are passed on, whatever they are.
  bool routes_by_name = false;  // Some route of a TCP service asks for a server name.
  std::string address;          // As configured; what is bound may differ by --bind-host.
  route::RouteTable routes;
  std::vector<Route> route_list;                  // Same indexes as `routes`.
  std::shared_ptr<const tls::ServerContext> tls;  // Null: clear text.
  std::vector<base::Cidr> trusted_proxies;
  std::vector<base::Cidr> proxy_header_senders;  // Whose connections begin with a PROXY header.
  bool proxy_header_required = false;            // Of all of them.
  DownstreamTimeouts timeouts;
  http::HeadLimits head_limits;
  uint64_t body_bytes_max = 0;
  uint32_t connections_max = 0;
  observe::Slot slot = 0;
  observe::Slot no_route_slot = 0;
};

struct RuntimeConfig {
  RuntimeConfig(observe::Registry& registry_in) : registry(registry_in) {}
  ~RuntimeConfig();
  RuntimeConfig(const RuntimeConfig&) = delete;
  RuntimeConfig& operator=(const RuntimeConfig&) = delete;

  v1::Version version;
  v1::Settings settings;
  std::vector<std::unique_ptr<Service>> services;
  std::vector<std::shared_ptr<const upstream::ClusterSpec>> clusters;
  observe::Registry& registry;  // Gets the slots back.
};

}  // namespace sluice::runtime
