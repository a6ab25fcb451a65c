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
    {.name = "request",
     .kind = KeyKind::kDuration,
     .doc = "From the whole request being sent to the head of the response. Beyond it: 504.",
     .example = "60s",
     .field = "request_ms",
     .initial = "60s",
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
     .example = "{request: 5s}",
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
    {.name = "attempts",
     .kind = KeyKind::kInteger,
     .doc = "How many nodes are tried in all when one cannot be connected to.",
     .example = "3",
     .field = "forward.attempts",
     .initial = "3",
     .min = 1,
     .max = 8},
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
