// The keys of upstreams, in a route or shared.
#include "common/config/words.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/format.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::yaml {
namespace {

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
constexpr int64_t kHourMs = 60 * 60 * 1000;
constexpr int64_t kWeightMax = 1'000'000;

constexpr Choice kStrategies[] = {
    {"round_robin", v1::LB_STRATEGY_ROUND_ROBIN},
    {"random", v1::LB_STRATEGY_RANDOM},
    {"hash", v1::LB_STRATEGY_HASH},
    {"least_request", v1::LB_STRATEGY_LEAST_REQUEST},
};
constexpr Choice kSchemas[] = {{"tcp", v1::HealthCheck::TCP},
                               {"http", v1::HealthCheck::HTTP},
                               {"grpc", v1::HealthCheck::GRPC}};

constexpr Key kHealthCheckKeys[] = {
    {.name = "schema",
     .kind = KeyKind::kChoice,
     .doc = "tcp: a node is healthy that accepts connections. http: that answers a GET as "
            "expected. grpc: that says SERVING (grpc.health.v1.Health/Check); needs http2 or auto "
            "as the upstream's protocol.",
     .example = "'http'",
     .field = "schema",
     .initial = "tcp",
     .choices = kSchemas},
    {.name = "http_path",
     .doc = "What http asks for.",
     .example = "'/health'",
     .field = "http_path",
     .initial = "/",
     .check = config::TargetProblem},
    {.name = "http_host",
     .doc = "The Host http and grpc ask with.",
     .example = "'users.internal'",
     .field = "http_host",
     .without = "the node's address",
     .check = config::AuthorityProblem},
    {.name = "grpc_service",
     .doc = "The service grpc asks about.",
     .example = "'shop.v1.Orders'",
     .field = "grpc_service",
     .without = "the server as a whole",
     .check = config::GrpcServiceProblem},
    {.name = "frequency_secs",
     .kind = KeyKind::kInteger,
     .doc = "Seconds between two checks of a node.",
     .example = "5",
     .field = "interval_ms",
     .initial = "5",
     .min = 1,
     .max = 3600,
     .scale = 1000},
    {.name = "timeout",
     .kind = KeyKind::kDuration,
     .doc = "For one check; not longer than frequency_secs.",
     .example = "2s",
     .field = "timeout_ms",
     .without = "2s, or frequency_secs if that is less",
     .min = 1,
     .max = kHourMs},
    {.name = "healthy_after",
     .kind = KeyKind::kInteger,
     .doc = "Successes in a row that make an unhealthy node healthy.",
     .example = "2",
     .field = "healthy_after",
     .initial = "2",
     .min = 1,
     .max = 1000},
    {.name = "unhealthy_after",
     .kind = KeyKind::kInteger,
     .doc = "Failures in a row that make a healthy node unhealthy.",
     .example = "2",
     .field = "unhealthy_after",
     .initial = "2",
     .min = 1,
     .max = 1000},
    {.name = "expected_statuses",
     .kind = KeyKind::kIntegers,
     .doc = "The statuses that count as success for http.",
     .example = "[200, 204]",
     .field = "expected_statuses",
     .without = "200 to 399",
     .min = 200,
     .max = 599},
    {.name = "initially_unhealthy",
     .kind = KeyKind::kFlag,
     .doc = "Whether a node gets no traffic before its first check.",
     .example = "true",
     .field = "initially_unhealthy",
     .initial = "false"},
};
constexpr Block kHealthCheck = {
    .title = "upstreams[].health_check",
    .doc = "Asks each node whether it is well. Left out, every node counts as healthy.",
    .message = v1::HealthCheck::descriptor,
    .keys = kHealthCheckKeys};

constexpr Key kNodeKeys[] = {
    {.name = "addr",
     .doc = "IP address and port.",
     .example = "'10.0.1.1:8080'",
     .field = "address",
     .required = true,
     .check = CheckNodeAddress},
    {.name = "sni",
     .doc = "Speaks TLS to the node, with this server name, which its certificate must bear.",
     .example = "'users.internal'",
     .field = "sni",
     .without = "see tls",
     .check = config::SniProblem},
    {.name = "weight",
     .kind = KeyKind::kInteger,
     .doc = "Its share, relative to the other nodes.",
     .example = "2",
     .field = "weight",
     .initial = "1",
     .min = 1,
     .max = kWeightMax},
};
constexpr Block kNode = {.title = "upstreams[].nodes[]",
                         .doc = "One of an upstream's interchangeable servers.",
                         .message = v1::Endpoint::descriptor,
                         .keys = kNodeKeys};

constexpr Key kTlsKeys[] = {
    {.name = "enabled",
     .kind = KeyKind::kFlag,
     .doc = "Whether TLS is spoken to the nodes without an `sni` of their own. To those with one "
            "it is "
            "always.",
     .example = "true",
     .field = "enabled",
     .initial = "true"},
    {.name = "sni",
     .doc = "The server name for the nodes without one.",
     .example = "'users.internal'",
     .field = "sni",
     .without = "no name; certificates must bear the node's address",
     .check = config::SniProblem},
    {.name = "verify",
     .kind = KeyKind::kFlag,
     .doc =
         "Whether the nodes' certificates are verified. Without it anyone on the way can read and "
         "change everything.",
     .example = "true",
     .field = "skip_verify",
     .initial = "true",
     .inverted = true},
    {.name = "ca_path",
     .doc = "PEM file of the authorities trusted. Read by the controller.",
     .example = "'/etc/sluice/internal-ca.pem'",
     .without = "the system's",
     .check = CheckFile},
    {.name = "cert_path",
     .doc = "PEM file of a certificate shown to nodes that ask for one. Read by the controller.",
     .example = "'/etc/sluice/client.pem'",
     .without = "none",
     .check = CheckFile},
    {.name = "key_path",
     .doc = "PEM file of its private key.",
     .example = "'/etc/sluice/client.key'",
     .without = "none",
     .check = CheckFile},
};
constexpr Block kTls = {.title = "upstreams[].tls",
                        .doc = "TLS towards the nodes.",
                        .message = v1::UpstreamTls::descriptor,
                        .keys = kTlsKeys};

constexpr Key kTimeoutKeys[] = {
    {.name = "connect",
     .kind = KeyKind::kDuration,
     .doc = "For a connection to a node, TLS included.",
     .example = "5s",
     .field = "connect_ms",
     .initial = "5s",
     .min = 1,
     .max = kDayMs},
};
constexpr Block kTimeouts = {.title = "upstreams[].timeouts",
                             .doc = "How long nodes may take.",
                             .message = v1::UpstreamTimeouts::descriptor,
                             .keys = kTimeoutKeys};

constexpr Key kKeepAliveKeys[] = {
    {.name = "idle",
     .kind = KeyKind::kDuration,
     .doc = "How long an unused connection is kept.",
     .example = "60s",
     .field = "idle_ms",
     .initial = "60s",
     .max = kDayMs},
    {.name = "connections",
     .kind = KeyKind::kInteger,
     .doc = "Unused connections kept per worker and node; 0 keeps none.",
     .example = "256",
     .field = "connections",
     .initial = "256",
     .max = 100'000},
    {.name = "requests",
     .kind = KeyKind::kInteger,
     .doc = "Requests on one connection; 0 means no limit.",
     .example = "1000",
     .field = "requests",
     .initial = "0",
     .max = UINT32_MAX},
};
constexpr Block kKeepAlive = {.title = "upstreams[].keep_alive",
                              .doc = "Connections kept to be used again.",
                              .message = v1::UpstreamKeepAlive::descriptor,
                              .keys = kKeepAliveKeys};

constexpr Key kCircuitBreakerKeys[] = {
    {.name = "requests",
     .kind = KeyKind::kInteger,
     .doc = "Requests under way at a time, from one proxy; 0 means no limit. Over HTTP/1.1 and in "
            "tcp services each has a connection of its own.",
     .example = "1000",
     .field = "requests",
     .initial = "0",
     .max = UINT32_MAX},
    {.name = "node_requests",
     .kind = KeyKind::kInteger,
     .doc = "The same for each node: a node that has as many is passed over.",
     .example = "100",
     .field = "endpoint_requests",
     .initial = "0",
     .max = UINT32_MAX},
    {.name = "pending",
     .kind = KeyKind::kInteger,
     .doc = "Requests that wait for room, first come, first served. Those beyond get 503 at once.",
     .example = "50",
     .field = "pending",
     .initial = "100",
     .max = 1'000'000},
    {.name = "pending_timeout",
     .kind = KeyKind::kDuration,
     .doc = "How long they wait; beyond it: 503. 0s means no limit.",
     .example = "500ms",
     .field = "pending_timeout_ms",
     .initial = "1s",
     .max = kDayMs},
    {.name = "retry_budget_percent",
     .kind = KeyKind::kInteger,
     .doc = "Retries, in percent of the requests, and ten a second, per worker; 0: none. What is "
            "not used is saved up to as many as requests are under way (ten at least), for a node "
            "that dies with many. Beyond it a failed try is the last. After a `connect_failure` "
            "nothing was acted on, and the next try is not counted.",
     .example = "20",
     .field = "retry_budget_percent",
     .initial = "20",
     .max = 100},
};
constexpr Block kCircuitBreaker = {.title = "upstreams[].circuit_breaker",
                                   .doc = "How much an upstream in trouble is asked for.",
                                   .message = v1::CircuitBreaker::descriptor,
                                   .keys = kCircuitBreakerKeys};

constexpr Choice kProxyProtocols[] = {
    {"none", v1::PROXY_PROTOCOL_NONE},
    {"v1", v1::PROXY_PROTOCOL_V1},
    {"v2", v1::PROXY_PROTOCOL_V2},
};

constexpr Choice kProtocols[] = {
    {"http1", v1::UPSTREAM_PROTOCOL_HTTP1},
    {"http2", v1::UPSTREAM_PROTOCOL_HTTP2},
    {"auto", v1::UPSTREAM_PROTOCOL_AUTO},
};

constexpr Key kUpstreamKeys[] = {
    {.name = "name",
     .doc = "The upstream's name. The same name with the same content is one upstream.",
     .example = "'users-service'",
     .field = "name",
     .required = true,
     .check = config::NameProblem},
    {.name = "lb_strategy",
     .kind = KeyKind::kChoice,
     .doc = "How a node is chosen: in turn, at random, by `hash_on`, or the less busy of two.",
     .example = "'round_robin'",
     .field = "lb_strategy",
     .initial = "least_request",
     .choices = kStrategies},
    {.name = "hash_on",
     .doc = "What `hash` goes by: client_ip, path, header:NAME, cookie:NAME or query:NAME. Other "
            "strategies do not look at it.",
     .example = "'header:X-User'",
     .field = "hash_on",
     .initial = "client_ip",
     .check = CheckHashOn},
    {.name = "health_check",
     .kind = KeyKind::kBlock,
     .doc = "Asks each node whether it is well.",
     .example = "{schema: 'http', http_path: '/health'}",
     .field = "health_check",
     .without = "every node counts as healthy",
     .block = &kHealthCheck},
    {.name = "nodes",
     .kind = KeyKind::kBlocks,
     .doc =
         "The servers. Required, except where only a name refers to an upstream defined elsewhere.",
     .example = "[{addr: '10.0.1.1:8080'}, {addr: '10.0.1.2:8080'}]",
     .field = "endpoints",
     .without = "defined elsewhere",
     .block = &kNode},
    {.name = "tls",
     .kind = KeyKind::kBlock,
     .doc = "TLS towards the nodes.",
     .example = "{sni: 'users.internal', ca_path: 'internal-ca.pem'}",
     .field = "tls",
     .without = "clear text, except to nodes with an `sni`",
     .block = &kTls},
    {.name = "protocol",
     .kind = KeyKind::kChoice,
     .doc = "What is spoken to the nodes, and in which health checks by http ask. http2 is what "
            "gRPC needs: many requests at a time on few connections. auto takes HTTP/2 where a "
            "node agrees to it in TLS, and HTTP/1.1 otherwise.",
     .example = "'http2'",
     .field = "protocol",
     .initial = "http1",
     .choices = kProtocols},
    {.name = "proxy_protocol",
     .kind = KeyKind::kChoice,
     .doc = "Begins every connection to a node with a header of the PROXY protocol, before TLS, "
            "that names the client. Such a connection belongs to its client, so it carries one "
            "request and keep_alive does not apply. Health checks name nobody (LOCAL, UNKNOWN).",
     .example = "'v2'",
     .field = "proxy_protocol",
     .initial = "none",
     .choices = kProxyProtocols},
    {.name = "timeouts",
     .kind = KeyKind::kBlock,
     .doc = "How long nodes may take.",
     .example = "{connect: 5s}",
     .field = "timeouts",
     .block = &kTimeouts},
    {.name = "keep_alive",
     .kind = KeyKind::kBlock,
     .doc = "Connections kept to be used again.",
     .example = "{idle: 60s}",
     .field = "keep_alive",
     .block = &kKeepAlive},
    {.name = "circuit_breaker",
     .kind = KeyKind::kBlock,
     .doc = "How much an upstream in trouble is asked for.",
     .example = "{node_requests: 100}",
     .field = "circuit_breaker",
     .block = &kCircuitBreaker},
    {.name = "panic_threshold_percent",
     .kind = KeyKind::kInteger,
     .doc = "With less than this share of its nodes healthy, health is ignored and all are used.",
     .example = "50",
     .field = "panic_threshold_percent",
     .initial = "50",
     .max = 100},
    // Last, so that shared upstreams are all but this one.
    {.name = "weight",
     .kind = KeyKind::kInteger,
     .doc =
         "Its share of the route's requests, relative to the route's other upstreams; 0 gets none.",
     .example = "90",
     .initial = "1",
     .max = kWeightMax},
};

}  // namespace

const constinit Block kUpstream = {.title = "services[].routes[].upstreams[]",
                                   .doc = "A group of interchangeable nodes.",
                                   .message = v1::Cluster::descriptor,
                                   .keys = kUpstreamKeys};

const constinit Block kSharedUpstream = {
    .title = "upstreams[]",
    .doc = "A group of interchangeable nodes that routes refer to by name.",
    .message = v1::Cluster::descriptor,
    .keys = std::span(kUpstreamKeys).first<std::size(kUpstreamKeys) - 1>()};

}  // namespace sluice::yaml
