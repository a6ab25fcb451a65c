// The keys of `tests[]`.
#include "common/config/words.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/format.h"

namespace sluice::yaml {
namespace {

constexpr Key kRequestKeys[] = {
    {.name = "service",
     .doc = "The service that gets the request.",
     .example = "'api-gateway'",
     .without = "by the URL's port, else the only one",
     .check = config::NameProblem},
    {.name = "method",
     .doc = "Its method.",
     .example = "'POST'",
     .initial = "GET",
     .check = CheckMethod},
    {.name = "url",
     .doc = "What is asked for, as a client would write it.",
     .example = "'http://www.example.com/api/v1/users/123?full=1'",
     .required = true,
     .check = CheckUrl},
    {.name = "headers",
     .kind = KeyKind::kTextMap,
     .doc = "Further header fields; Host replaces the URL's host.",
     .example = "{Host: 'www.example.com'}",
     .without = "none",
     .check = config::FieldValueProblem},
};

constexpr Key kExpectKeys[] = {
    {.name = "route",
     .doc = "The route that must serve it.",
     .example = "'users-service-route'",
     .without = "any",
     .check = config::NameProblem},
    {.name = "upstream",
     .doc = "An upstream it must be able to go to.",
     .example = "'users-service'",
     .without = "any",
     .check = config::NameProblem},
    {.name = "path",
     .doc = "The path sent upstream, with the query if there is one.",
     .example = "'/123?full=1'",
     .without = "any",
     .check = config::TargetProblem},
    {.name = "status",
     .kind = KeyKind::kInteger,
     .doc = "The status the proxy answers with by itself, such as 404 where no route matches.",
     .example = "404",
     .without = "any",
     .min = 200,
     .max = 599},
};

}  // namespace

const constinit Block kTestRequest = {
    .title = "tests[].request", .doc = "A request.", .keys = kRequestKeys};
const constinit Block kTestExpect = {.title = "tests[].expect",
                                     .doc = "What must become of it; name one thing at least.",
                                     .keys = kExpectKeys};

namespace {

constexpr Key kTestKeys[] = {
    {.name = "name",
     .doc = "What the test shows, in a few words.",
     .example = "'users lose their prefix'",
     .required = true,
     .check = CheckNotEmpty},
    {.name = "request",
     .kind = KeyKind::kBlock,
     .doc = "A request.",
     .example = "{url: 'http://www.example.com/api/v1/users/123'}",
     .required = true,
     .block = &kTestRequest},
    {.name = "expect",
     .kind = KeyKind::kBlock,
     .doc = "What must become of it.",
     .example = "{route: 'users-service-route', path: '/123'}",
     .required = true,
     .block = &kTestExpect},
};

}  // namespace

const constinit Block kTest = {
    .title = "tests[]",
    .doc =
        "A request and what must become of it, by the very code the proxies "
        "run.",
    .keys = kTestKeys};

}  // namespace sluice::yaml
