// The keys of `services[].routes[]`.
#include "common/config/words.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/format.h"
#include "sluice/v1/route.pb.h"

namespace sluice::yaml {
namespace {

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
constexpr Choice kSchemes[] = {{"http"}, {"https"}};

constexpr Key kTimeoutKeys[] = {
    {.name = "connect",
     .kind = KeyKind::kDuration,
     .doc = "For a connection to a node, TLS included. 0s: the upstream's `timeouts.connect`.",
     .example = "2s",
     .field = "connect_ms",
     .initial = "0s",
     .max = kDayMs},
    {.name = "first_byte",
     .kind = KeyKind::kDuration,
     .doc = "From the whole request being sent to the head of the response. Beyond it: 504.",
     .example = "60s",
     .field = "first_byte_ms",
     .initial = "60s",
     .max = kDayMs},
    {.name = "per_try",
     .kind = KeyKind::kDuration,
     .doc = "For one try, from its begin to the head of the response. With `timeout` in retry.on "
            "the next one follows.",
     .example = "2s",
     .field = "per_try_ms",
     .initial = "0s",
     .max = kDayMs},
    {.name = "request",
     .kind = KeyKind::kDuration,
     .doc = "For all of it: from the request's head to the end of the response, with every try. "
            "Not for upgraded connections, event streams and gRPC, which has deadlines of its own.",
     .example = "30s",
     .field = "request_ms",
     .initial = "0s",
     .max = kDayMs},
    {.name = "idle",
     .kind = KeyKind::kDuration,
     .doc = "Between two pieces of the response.",
     .example = "60s",
     .field = "idle_ms",
     .initial = "60s",
     .max = kDayMs},
    {.name = "tunnel",
     .kind = KeyKind::kDuration,
     .doc = "Without a byte in either direction of a WebSocket or another upgraded connection.",
     .example = "1h",
     .field = "tunnel_ms",
     .initial = "1h",
     .max = kDayMs},
};
constexpr Block kTimeouts = {.title = "services[].routes[].timeouts",
                             .doc = "How long upstreams may take; `0s` means no limit.",
                             .message = v1::RouteTimeouts::descriptor,
                             .keys = kTimeoutKeys};

constexpr Key kRetryKeys[] = {
    {.name = "attempts",
     .kind = KeyKind::kInteger,
     .doc = "Tries in all. Each goes to a node that was not tried yet, as long as there is one.",
     .example = "2",
     .field = "attempts",
     .initial = "3",
     .min = 1,
     .max = 8},
    {.name = "on",
     .kind = KeyKind::kTexts,
     .doc =
         "What is tried again: `connect_failure` (nothing was sent, or the node says that it did "
         "nothing), `reset` (the connection was lost before the response), `timeout` (of the "
         "first byte, or per try), `gateway_error` (502, 503, 504, or a response that is "
         "malformed), `5xx`, or a status such as '429'. `[]`: nothing.",
     .example = "['connect_failure', 'gateway_error']",
     .field = "on",
     .without = "['connect_failure', 'reset']",
     .check = config::RetryConditionProblem},
    {.name = "non_idempotent",
     .kind = KeyKind::kFlag,
     .doc = "Also requests that a node may have acted on and whose method does not say that twice "
            "does no harm (POST, PATCH). Without it these are tried again only on "
            "`connect_failure`.",
     .example = "true",
     .field = "non_idempotent",
     .initial = "false"},
    {.name = "backoff",
     .kind = KeyKind::kDuration,
     .doc = "The wait before a further try is random up to this, which doubles from try to try. "
            "After a `connect_failure` another node is tried at once.",
     .example = "25ms",
     .field = "backoff_ms",
     .initial = "25ms",
     .max = kDayMs},
    {.name = "backoff_max",
     .kind = KeyKind::kDuration,
     .doc = "What it doubles to at most.",
     .example = "250ms",
     .field = "backoff_max_ms",
     .initial = "250ms",
     .max = kDayMs},
    {.name = "hedge_after",
     .kind = KeyKind::kDuration,
     .doc = "A GET or HEAD without a body whose response has not begun after this time goes to "
            "another node as well. The first answer counts, and the other try is ended; interim "
            "responses (103) are not passed on. Hedges come out of the upstream's retry budget, "
            "but not out of `attempts`. 0s: none.",
     .example = "50ms",
     .field = "hedge_after_ms",
     .initial = "0s",
     .max = kDayMs},
};
constexpr Block kRetry = {.title = "services[].routes[].retry",
                          .doc =
                              "When a request is sent again, and how often. At most 64 KiB of a "
                              "body are kept for it; a request with more is tried once it has "
                              "begun to be sent. `circuit_breaker` of the upstream limits what "
                              "share of the requests retries are.",
                          .message = v1::RetryPolicy::descriptor,
                          .keys = kRetryKeys};

constexpr Key kRespondKeys[] = {
    {.name = "status",
     .kind = KeyKind::kInteger,
     .doc = "The status of the answer.",
     .example = "503",
     .field = "status",
     .initial = "200",
     .min = 200,
     .max = 599},
    {.name = "body",
     .doc = "The body of the answer, 64 KiB at most.",
     .example = "'back at noon'",
     .field = "body",
     .without = "no body"},
    {.name = "content_type",
     .doc = "Its media type.",
     .example = "'text/plain; charset=utf-8'",
     .field = "content_type",
     .initial = "text/plain; charset=utf-8",
     .check = config::FieldValueProblem},
};
constexpr Block kRespond = {.title = "services[].routes[].respond",
                            .doc = "An answer the proxy gives itself.",
                            .message = v1::Respond::descriptor,
                            .keys = kRespondKeys};

constexpr Key kRedirectKeys[] = {
    {.name = "status",
     .kind = KeyKind::kInteger,
     .doc = "301, 302, 303, 307 or 308.",
     .example = "301",
     .field = "status",
     .initial = "308",
     .min = 301,
     .max = 308},
    {.name = "scheme",
     .kind = KeyKind::kChoice,
     .doc = "The new scheme.",
     .example = "'https'",
     .field = "scheme",
     .without = "unchanged",
     .choices = kSchemes},
    {.name = "host",
     .doc = "The new host, with a port if it needs one.",
     .example = "'www.example.com'",
     .field = "host",
     .without = "unchanged",
     .check = config::AuthorityProblem},
    {.name = "path",
     .doc = "The new path. The query is dropped unless the path stays.",
     .example = "'/new'",
     .field = "path",
     .without = "unchanged, with its query",
     .check = CheckRedirectPath},
};
constexpr Block kRedirect = {.title = "services[].routes[].redirect",
                             .doc = "Sends the client elsewhere; give scheme, host or path.",
                             .message = v1::Redirect::descriptor,
                             .keys = kRedirectKeys};

constexpr Key kRouteKeys[] = {
    {.name = "name",
     .doc = "The route's name, in logs, metrics and commands. Unique in its service.",
     .example = "'users-service-route'",
     .field = "name",
     .required = true,
     .check = config::NameProblem},
    {.name = "host",
     .doc = "Exact ('www.example.com'), by suffix ('*.example.com', any number of labels) or '*'. "
            "Case "
            "does not count, the port is ignored.",
     .example = "'www.example.com'",
     .field = "host",
     .without = "any host",
     .check = CheckHostPattern},
    {.name = "path_prefix",
     .doc = "Matches whole segments: '/api' matches /api and /api/x, not /apix.",
     .example = "'/api/v1/users'",
     .field = "path_prefix",
     .without = "any path",
     .check = CheckPathPrefix},
    {.name = "strip_prefix",
     .doc = "Removed from the path sent upstream, which is told in X-Forwarded-Prefix: with "
            "'/api/v1/users', /api/v1/users/123 becomes /123. It is path_prefix or its first "
            "segments.",
     .example = "'/api/v1/users'",
     .field = "forward.strip_prefix",
     .without = "the path is sent as it is",
     .check = CheckPathPrefix},
    {.name = "upstreams",
     .kind = KeyKind::kBlocks,
     .doc =
         "Where the requests go. Several share them by `weight`. An entry with only a name (and a "
         "weight) means the upstream of that name anywhere in the document.",
     .example = "[{name: 'users-service', nodes: [{addr: '10.0.1.1:8080'}]}]",
     .without = "respond or redirect",
     .block = &kUpstream},
    {.name = "host_rewrite",
     .doc = "The Host sent upstream.",
     .example = "'internal.example.com'",
     .field = "forward.host_rewrite",
     .without = "the client's",
     .check = config::AuthorityProblem},
    {.name = "keep_encoded_slashes",
     .kind = KeyKind::kFlag,
     .doc =
         "Passes %2F on as it is. Else such paths are refused (400), since upstreams disagree on "
         "them.",
     .example = "true",
     .field = "forward.keep_encoded_slashes",
     .initial = "false"},
    {.name = "timeouts",
     .kind = KeyKind::kBlock,
     .doc = "How long upstreams may take.",
     .example = "{first_byte: 5s}",
     .field = "forward.timeouts",
     .block = &kTimeouts},
    {.name = "body_bytes",
     .kind = KeyKind::kInteger,
     .doc = "Size of a request body on this route; 0 means the service's limit.",
     .example = "1048576",
     .field = "forward.body_bytes",
     .initial = "0"},
    {.name = "upgrades",
     .kind = KeyKind::kTexts,
     .doc = "Protocols to which a request may switch the connection by Upgrade, or by CONNECT in "
            "HTTP/2. A request for any other goes upstream without its Upgrade; `[]` allows none.",
     .example = "['websocket', 'spdy/3.1']",
     .field = "forward.upgrades",
     .without = "['websocket']",
     .check = config::UpgradeProblem},
    {.name = "retry",
     .kind = KeyKind::kBlock,
     .doc = "When a request is sent again, and how often.",
     .example = "{attempts: 2}",
     .field = "forward.retry",
     .block = &kRetry},
    {.name = "respond",
     .kind = KeyKind::kBlock,
     .doc = "An answer the proxy gives itself.",
     .example = "{status: 503, body: 'back at noon'}",
     .field = "respond",
     .without = "upstreams or redirect",
     .block = &kRespond},
    {.name = "redirect",
     .kind = KeyKind::kBlock,
     .doc = "Sends the client elsewhere.",
     .example = "{scheme: 'https'}",
     .field = "redirect",
     .without = "upstreams or respond",
     .block = &kRedirect},
};

constexpr std::string_view kActions[] = {"upstreams", "respond", "redirect"};

}  // namespace

const constinit Block kRoute = {.title = "services[].routes[]",
                                .doc =
                                    "What becomes of the requests that match. A route with neither "
                                    "host nor path_prefix matches "
                                    "every request.",
                                .message = v1::Route::descriptor,
                                .keys = kRouteKeys,
                                .exactly_one_of = kActions};

}  // namespace sluice::yaml
