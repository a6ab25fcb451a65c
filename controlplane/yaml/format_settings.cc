// The keys of `server`, `admin`, `metrics`, `logging`, and the document that holds everything.
#include "common/config/words.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/format.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::yaml {
namespace {

constexpr Choice kLogLevels[] = {{"trace"}, {"debug"}, {"info"}, {"warn"}, {"error"}, {"off"}};

// The fields of an access log line, in the order of docs/reference/log-fields.md.
constexpr Choice kLogFields[] = {
    {"time"},          {"request_id"},     {"trace_id"},
    {"client"},        {"peer"},           {"client_cert_subject"},
    {"method"},        {"scheme"},         {"host"},
    {"path"},          {"query"},          {"protocol"},
    {"status"},        {"service"},        {"route"},
    {"upstream"},      {"endpoint"},       {"attempts"},
    {"request_bytes"}, {"response_bytes"}, {"duration_ms"},
    {"connect_ms"},    {"upstream_ms"},    {"failure"},
    {"user_agent"},    {"referer"},        {"version"},
};

constexpr Key kServerLimitKeys[] = {
    {.name = "connections",
     .kind = KeyKind::kInteger,
     .doc = "Client connections to all services together; 0 means as many as descriptors "
            "(RLIMIT_NOFILE) allow. Beyond it idle ones are closed, oldest first, then new ones "
            "refused: 503.",
     .example = "50000",
     .field = "connections",
     .initial = "0",
     .max = 10'000'000},
    {.name = "memory_bytes",
     .kind = KeyKind::kInteger,
     .doc = "Resident memory from which requests are answered 503 and idle connections closed, "
            "until it is below 95 % of it; 0 means 90 % of the control group's or machine's.",
     .example = "2147483648",
     .field = "memory_bytes",
     .initial = "0",
     .max = int64_t{1} << 50},
};
constexpr Block kServerLimits = {.title = "server.limits",
                                 .doc = "How much a proxy may hold before it sheds load.",
                                 .message = v1::ProcessLimits::descriptor,
                                 .keys = kServerLimitKeys};

constexpr Key kServerKeys[] = {
    {.name = "worker_threads",
     .kind = KeyKind::kInteger,
     .doc = "Threads that serve traffic; 0 means one for each CPU the proxy may use.",
     .example = "8",
     .field = "worker_threads",
     .initial = "0",
     .max = 1024},
    {.name = "log_level",
     .kind = KeyKind::kChoice,
     .doc = "The least severe messages the proxies log.",
     .example = "'info'",
     .field = "log_level",
     .initial = "info",
     .choices = kLogLevels},
    {.name = "log_format",
     .kind = KeyKind::kChoice,
     .doc = "The form of the proxies' log, and of the access log unless it names its own.",
     .example = "'json'",
     .field = "log_format",
     .initial = "json",
     .choices = kLogFormats},
    {.name = "drain_timeout_secs",
     .kind = KeyKind::kInteger,
     .doc =
         "How long the connections of a listener that closes, or of a proxy that stops, may go on.",
     .example = "30",
     .field = "drain_timeout_ms",
     .initial = "30",
     .max = 86'400,
     .scale = 1000},
    {.name = "limits",
     .kind = KeyKind::kBlock,
     .doc = "How much a proxy may hold before it sheds load.",
     .example = "{connections: 50000}",
     .field = "limits",
     .block = &kServerLimits},
    {.name = "trusted_proxies",
     .kind = KeyKind::kTexts,
     .doc =
         "CIDR blocks of proxies in front of this one, whose X-Forwarded-* and X-Request-ID count. "
         "For every service that names none itself.",
     .example = "['10.0.0.0/8', '192.168.1.7']",
     .without = "nobody is trusted",
     .check = CheckCidr},
};
}  // namespace

const constinit Block kServer = {
    .title = "server",
    .doc = "What applies to the whole of every proxy. A proxy's own flags win.",
    .message = v1::Settings::descriptor,
    .keys = kServerKeys};

namespace {

constexpr Key kAdminKeys[] = {
    {.name = "bind_address",
     .doc = "Where each proxy's admin API listens. Keep it on a loopback address.",
     .example = "'127.0.0.1:6190'",
     .field = "address",
     .initial = "127.0.0.1:6190",
     .check = config::AddressProblem},
    {.name = "enabled",
     .kind = KeyKind::kFlag,
     .doc = "Whether the proxies serve it.",
     .example = "true",
     .field = "enabled",
     .initial = "true"},
};
}  // namespace

const constinit Block kAdmin = {
    .title = "admin",
    .doc =
        "The admin API of each proxy. Left out, it is served at its default "
        "address.",
    .message = v1::HttpEndpoint::descriptor,
    .keys = kAdminKeys};

namespace {

constexpr Key kMetricsKeys[] = {
    {.name = "bind_address",
     .doc = "Where each proxy serves /metrics for Prometheus.",
     .example = "'127.0.0.1:9090'",
     .field = "address",
     .initial = "127.0.0.1:9090",
     .check = config::AddressProblem},
    {.name = "enabled",
     .kind = KeyKind::kFlag,
     .doc = "Whether the proxies serve it.",
     .example = "true",
     .field = "enabled",
     .initial = "true"},
};
}  // namespace

const constinit Block kMetrics = {
    .title = "metrics",
    .doc =
        "The Prometheus metrics of each proxy. Left out, they are served at "
        "their default address.",
    .message = v1::HttpEndpoint::descriptor,
    .keys = kMetricsKeys};

namespace {

constexpr Key kAccessLogKeys[] = {
    {.name = "enabled",
     .kind = KeyKind::kFlag,
     .doc = "Whether a line is written for each request.",
     .example = "true",
     .field = "enabled",
     .initial = "true"},
    {.name = "path",
     .doc = "The file, or '-' for standard output. Reopened on SIGHUP.",
     .example = "'/var/log/sluice/access.log'",
     .field = "path",
     .initial = "-",
     .check = CheckLogPath},
    {.name = "format",
     .kind = KeyKind::kChoice,
     .doc = "The form of a line.",
     .example = "'json'",
     .field = "format",
     .without = "server.log_format",
     .choices = kLogFormats},
    {.name = "fields",
     .kind = KeyKind::kTexts,
     .doc = "What a line says, in this order; see log-fields.md.",
     .example = "['time', 'client', 'method', 'path', 'status', 'duration_ms']",
     .field = "fields",
     .without = "every field",
     .choices = kLogFields},
};
constexpr Block kAccessLog = {.title = "logging.access_log",
                              .doc = "The log of requests.",
                              .message = v1::AccessLog::descriptor,
                              .keys = kAccessLogKeys};

constexpr Key kLoggingKeys[] = {
    {.name = "access_log",
     .kind = KeyKind::kBlock,
     .doc = "The log of requests.",
     .example = "{path: '/var/log/sluice/access.log'}",
     .field = "access_log",
     .block = &kAccessLog},
};
}  // namespace

const constinit Block kLogging = {.title = "logging",
                                  .doc = "What the proxies write down about requests.",
                                  .message = v1::Settings::descriptor,
                                  .keys = kLoggingKeys};

namespace {

constexpr Key kDocumentKeys[] = {
    {.name = "server",
     .kind = KeyKind::kBlock,
     .doc = "What applies to the whole of every proxy.",
     .example = "{worker_threads: 8}",
     .block = &kServer},
    {.name = "admin",
     .kind = KeyKind::kBlock,
     .doc = "The admin API of each proxy.",
     .example = "{bind_address: '127.0.0.1:6190'}",
     .block = &kAdmin},
    {.name = "metrics",
     .kind = KeyKind::kBlock,
     .doc = "The Prometheus metrics of each proxy.",
     .example = "{bind_address: '127.0.0.1:9090'}",
     .block = &kMetrics},
    {.name = "logging",
     .kind = KeyKind::kBlock,
     .doc = "What the proxies write down about requests.",
     .example = "{access_log: {enabled: false}}",
     .block = &kLogging},
    {.name = "rollout",
     .kind = KeyKind::kBlock,
     .doc =
         "How changes of this document reach the fleet. Left out, all nodes take them at once, as "
         "soon as every node has prepared them.",
     .example = "{waves: ['1', '10%', '50%'], bake: '1m'}",
     .block = &kRollout},
    {.name = "services",
     .kind = KeyKind::kBlocks,
     .doc = "What the proxies listen on, and where its requests go.",
     .example = "[{name: 'web', bind_address: '0.0.0.0:8000', routes: [...]}]",
     .block = &kService},
    {.name = "upstreams",
     .kind = KeyKind::kBlocks,
     .doc = "Upstreams that several routes name. One route's own may stand in the route instead.",
     .example = "[{name: 'users-service', nodes: [{addr: '10.0.1.1:8080'}]}]",
     .block = &kSharedUpstream},
    {.name = "tests",
     .kind = KeyKind::kBlocks,
     .doc =
         "Requests and what must become of them. They run whenever the document is validated, and "
         "before it is applied; one that fails refuses the document.",
     .example = "[{name: 'users', request: {url: 'http://a.test/api'}, expect: {route: 'users'}}]",
     .block = &kTest},
};

}  // namespace

const constinit Block kDocumentBlock = {.title = "(document)",
                                        .doc =
                                            "One file, or a directory of them read in name order: "
                                            "`services`, `upstreams` and `tests` are "
                                            "joined, every other block may occur in one file only.",
                                        .keys = kDocumentKeys};

}  // namespace sluice::yaml
