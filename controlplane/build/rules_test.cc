// One case for each rule of the format: what it says, and where.
#include <gtest/gtest.h>

#include "controlplane/build/testing_documents.h"

namespace sluice::build {
namespace {

using testing_documents::ProblemsOf;
using testing_documents::WithBlocks;
using testing_documents::WithRoute;
using testing_documents::WithService;
using testing_documents::WithUpstream;

struct Rule {
  std::string name;
  std::string document;
  std::vector<std::string> problems;
};

void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }

class RulesTest : public testing::TestWithParam<Rule> {};

TEST_P(RulesTest, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(ProblemsOf(GetParam().document), GetParam().problems);
}

std::string NameOf(const testing::TestParamInfo<Rule>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Keys, RulesTest,
    testing::Values(
        Rule{"UnknownWithSuggestion",
             WithRoute("        hots: a.test\n        respond: {status: 200}\n"),
             {"a.yaml:6:9: error: services[0].routes[0].hots: unknown key 'hots'; did you mean "
              "'host'?"}},
        Rule{"UnknownWithoutSuggestion",
             WithBlocks("xyzzy: 1\n"),
             {"a.yaml:9:1: error: xyzzy: unknown key 'xyzzy'; known here: server, admin, metrics, "
              "logging, rollout, services, upstreams, tests"}},
        Rule{"Missing",
             "services:\n  - bind_address: '127.0.0.1:80'\n    routes: []\n",
             {"a.yaml:2:5: error: services[0]: the key 'name' is missing"}},
        Rule{"WithoutValue",
             WithBlocks("admin:\n"),
             {"a.yaml:10:1: error: admin: the key has no value; give it one, or remove it"}},
        Rule{"NotAList",
             WithBlocks("tests: {}\n"),
             {"a.yaml:9:8: error: tests: must be a list ('- ...' lines), not a mapping (key: "
              "value)"}},
        Rule{"NotAMapping",
             WithBlocks("admin: 5\n"),
             {"a.yaml:9:8: error: admin: must be a mapping (key: value), not a text"}},
        Rule{"RootIsAList",
             "- a\n- b\n",
             {"a.yaml:1:1: error: : must be a mapping (key: value), not a list"}},
        Rule{"NoServices",
             "server: {worker_threads: 1}\n",
             {"a.yaml:0:0: error: : the document has no 'services'; write 'services: []' if none "
              "is meant"}},
        Rule{"EmptyListOfServices", "services: []\n", {}},
        Rule{"ListWhereTextIsWanted",
             WithRoute("        host: [a]\n        respond: {}\n"),
             {"a.yaml:6:15: error: services[0].routes[0].host: must be a text, not a list"}},
        Rule{"TwoActions",
             WithUpstream("        respond: {status: 200}\n"),
             {"a.yaml:9:18: error: services[0].routes[0].respond: 'upstreams' and 'respond' "
              "exclude each other; keep one"}},
        Rule{"NoAction",
             WithRoute("        host: a.test\n"),
             {"a.yaml:5:9: error: services[0].routes[0]: one of 'upstreams', 'respond', 'redirect' "
              "is needed"}},
        Rule{"ForwardKeyOnAnswer",
             WithRoute("        respond: {status: 200}\n        retry: {attempts: 2}\n"),
             {"a.yaml:7:16: error: services[0].routes[0].retry: has no meaning on a route "
              "without upstreams; remove it"}}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Scalars, RulesTest,
    testing::Values(
        Rule{"Octal",
             WithBlocks("server: {worker_threads: 010}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '010' begins with a zero, which some "
              "read as octal; write '10'"}},
        Rule{"Hexadecimal",
             WithBlocks("server: {worker_threads: 0x10}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '0x10' is not a whole number; write it "
              "in decimal digits"}},
        Rule{"Underscore",
             WithBlocks("server: {worker_threads: 1_0}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '1_0' is not a whole number; write 10"}},
        Rule{"Exponent",
             WithBlocks("server: {worker_threads: 1e1}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '1e1' is not a whole number; write it in "
              "decimal digits"}},
        Rule{"Fraction",
             WithBlocks("server: {worker_threads: 1.5}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '1.5' is not a whole number; write it in "
              "decimal digits"}},
        Rule{"Negative",
             WithBlocks("server: {worker_threads: -1}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '-1' is out of range; give 0 to 1024"}},
        Rule{"TooLarge",
             WithBlocks("server: {worker_threads: 1025}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '1025' is out of range; give 0 to 1024"}},
        Rule{"Overflow",
             WithBlocks("server: {worker_threads: 99999999999999999999999}\n"),
             {"a.yaml:9:26: error: server.worker_threads: '99999999999999999999999' is out of "
              "range; give 0 to 1024"}},
        Rule{"QuotedNumber",
             WithBlocks("server: {worker_threads: '8'}\n"),
             {"a.yaml:9:26: error: server.worker_threads: must not be a text; remove the quotes "
              "around 8"}},
        Rule{"Yes",
             WithBlocks("admin: {enabled: yes}\n"),
             {"a.yaml:9:18: error: admin.enabled: 'yes' is not a flag; write true"}},
        Rule{"Off",
             WithBlocks("admin: {enabled: Off}\n"),
             {"a.yaml:9:18: error: admin.enabled: 'Off' is not a flag; write false"}},
        Rule{"CapitalTrue",
             WithBlocks("admin: {enabled: True}\n"),
             {"a.yaml:9:18: error: admin.enabled: 'True' is not a flag; write true"}},
        Rule{"QuotedFlag",
             WithBlocks("admin: {enabled: 'true'}\n"),
             {"a.yaml:9:18: error: admin.enabled: must not be a text; remove the quotes around "
              "true"}},
        Rule{"DurationWithoutUnit",
             WithService("    timeouts: {idle: 5}\n"),
             {"a.yaml:4:22: error: services[0].timeouts.idle: '5' has no unit; write 5s or 5ms"}},
        Rule{"DurationNonsense",
             WithService("    timeouts: {idle: soon}\n"),
             {"a.yaml:4:22: error: services[0].timeouts.idle: 'soon' is not a duration; write it "
              "like 250ms, 5s, 1m30s or 1h"}},
        Rule{"DurationTooLong",
             WithService("    timeouts: {idle: 25h}\n"),
             {"a.yaml:4:22: error: services[0].timeouts.idle: '25h' is out of range; give 0ms to "
              "24h"}},
        Rule{"DurationTooFine",
             WithService("    timeouts: {idle: 0.5ms}\n"),
             {"a.yaml:4:22: error: services[0].timeouts.idle: '0.5ms' is not a duration; write it "
              "like 250ms, 5s, 1m30s or 1h"}},
        Rule{"UnknownWord",
             WithBlocks("server: {log_level: verbose}\n"),
             {"a.yaml:9:21: error: server.log_level: 'verbose' is not known here; use trace, "
              "debug, info, warn, error or off"}},
        Rule{"MisspeltWord",
             WithBlocks("server: {log_level: inof}\n"),
             {"a.yaml:9:21: error: server.log_level: 'inof' is not known here; did you mean "
              "'info'?"}},
        Rule{"LogField",
             WithBlocks("logging: {access_log: {fields: [time, statsu]}}\n"),
             {"a.yaml:9:39: error: logging.access_log.fields[1]: 'statsu' is not known here; did "
              "you mean 'status'?"}}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Texts, RulesTest,
    testing::Values(
        Rule{"Name",
             "services: [{name: 'a b', bind_address: '127.0.0.1:80', routes: []}]\n",
             {"a.yaml:1:19: error: services[0].name: 'a b' is no name; begin with a letter or "
              "digit and use letters, digits, '.', '_', '-', ':' and '/' only"}},
        Rule{"EmptyName",
             "services: [{name: '', bind_address: '127.0.0.1:80', routes: []}]\n",
             {"a.yaml:1:19: error: services[0].name: the name is missing"}},
        Rule{"BindAddressWithoutPort",
             "services: [{name: a, bind_address: '127.0.0.1', routes: []}]\n",
             {"a.yaml:1:36: error: services[0].bind_address: '127.0.0.1': the port is missing; "
              "write host:port"}},
        Rule{"BindAddressWithName",
             "services: [{name: a, bind_address: 'localhost:80', routes: []}]\n",
             {"a.yaml:1:36: error: services[0].bind_address: 'localhost': a name is not supported "
              "yet; give an IP address"}},
        Rule{"NodeWithName",
             WithRoute("        upstreams: [{name: app, nodes: [{addr: 'app.test:80'}]}]\n"),
             {"a.yaml:6:48: error: services[0].routes[0].upstreams[0].nodes[0].addr: 'app.test:80' "
              "is not the address of a node; write its IP address and port, like 10.0.1.1:8080"}},
        Rule{"NodePortZero",
             WithRoute("        upstreams: [{name: app, nodes: [{addr: '10.0.0.1:0'}]}]\n"),
             {"a.yaml:6:48: error: services[0].routes[0].upstreams[0].nodes[0].addr: '10.0.0.1:0': "
              "port 0 cannot be used"}},
        Rule{"NodeUnspecified",
             WithRoute("        upstreams: [{name: app, nodes: [{addr: '0.0.0.0:80'}]}]\n"),
             {"a.yaml:6:48: error: services[0].routes[0].upstreams[0].nodes[0].addr: '0.0.0.0:80' "
              "is no address to connect to; give the server's own"}},
        Rule{"HostWithPort",
             WithRoute("        host: 'a.test:80'\n        respond: {}\n"),
             {"a.yaml:6:15: error: services[0].routes[0].host: 'a.test:80' must not name a port; "
              "every port matches"}},
        Rule{"HostIsUrl",
             WithRoute("        host: 'http://a.test'\n        respond: {}\n"),
             {"a.yaml:6:15: error: services[0].routes[0].host: 'http://a.test' is a URL; write "
              "only the host name"}},
        Rule{"HostStarInside",
             WithRoute("        host: 'a.*.test'\n        respond: {}\n"),
             {"a.yaml:6:15: error: services[0].routes[0].host: 'a.*.test': a star may only stand "
              "for the first labels, as in '*.example.com'"}},
        Rule{"HostInternational",
             WithRoute("        host: 'bücher.test'\n        respond: {}\n"),
             {"a.yaml:6:15: error: services[0].routes[0].host: 'bücher.test' is not ASCII; write "
              "international names in their xn-- form"}},
        Rule{"PathRelative",
             WithRoute("        path_prefix: 'api'\n        respond: {}\n"),
             {"a.yaml:6:22: error: services[0].routes[0].path_prefix: 'api' must begin with '/'"}},
        Rule{"PathNotNormal",
             WithRoute("        path_prefix: '/a//b'\n        respond: {}\n"),
             {"a.yaml:6:22: error: services[0].routes[0].path_prefix: '/a//b' can never match, for "
              "paths are normalised first; write '/a/b'"}},
        Rule{"PathClimbs",
             WithRoute("        path_prefix: '/..'\n        respond: {}\n"),
             {"a.yaml:6:22: error: services[0].routes[0].path_prefix: '/..' can never match: "
              "\"..\" climbs above the root"}},
        Rule{"StripOutsidePrefix",
             WithUpstream("        path_prefix: '/a'\n        strip_prefix: '/b'\n"),
             {"a.yaml:10:23: error: services[0].routes[0].strip_prefix: '/b' must be path_prefix "
              "('/a') or its first segments"}},
        Rule{"HashOn",
             WithUpstream("            hash_on: 'header:'\n"),
             {"a.yaml:9:22: error: services[0].routes[0].upstreams[0].hash_on: 'header:' is not "
              "supported; use client_ip, path, header:NAME, cookie:NAME or query:NAME"}},
        Rule{"Sni",
             WithUpstream("            tls: {sni: '10.0.0.1'}\n"),
             {"a.yaml:9:24: error: services[0].routes[0].upstreams[0].tls.sni: '10.0.0.1' is an "
              "address; TLS server names are DNS names"}},
        Rule{"Cidr",
             WithService("    trusted_proxies: ['10.0.0.0/33']\n"),
             {"a.yaml:4:23: error: services[0].trusted_proxies[0]: '10.0.0.0/33': the length after "
              "'/' must be 0 to 32"}},
        Rule{"LogPath",
             WithBlocks("logging: {access_log: {path: 'log'}}\n"),
             {"a.yaml:9:30: error: logging.access_log.path: 'log' must be an absolute file name, "
              "or '-' for standard output"}},
        Rule{"RedirectStatus",
             WithRoute("        redirect: {status: 304, scheme: https}\n"),
             {"a.yaml:6:19: error: services[0].routes[0].redirect: 304 is no redirect; use 301, "
              "302, 303, 307 or 308"}},
        Rule{"RedirectNowhere",
             WithRoute("        redirect: {}\n"),
             {"a.yaml:6:19: error: services[0].routes[0].redirect: leads to where the request came "
              "from; give scheme, host or path"}},
        Rule{"RespondBodyWith204",
             WithRoute("        respond: {status: 204, body: x}\n"),
             {"a.yaml:6:18: error: services[0].routes[0].respond: an answer with status 204 has no "
              "body; remove it"}},
        Rule{"TerminalCodesAreEscaped",
             WithRoute("        host: \"a\\e[2J\"\n        respond: {}\n"),
             {"a.yaml:6:15: error: services[0].routes[0].host: 'a\\x1b[2j' is not a host name; use "
              "letters, digits, '-', '_' and '.'"}}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Upstreams, RulesTest,
    testing::Values(
        Rule{"NoNodes",
             WithRoute("        upstreams: [{name: app, lb_strategy: random}]\n"),
             {"a.yaml:6:21: error: services[0].routes[0].upstreams[0]: the key 'nodes' is missing; "
              "to refer to an upstream defined elsewhere, give its name (and a weight) only"}},
        Rule{"EmptyNodes",
             WithRoute("        upstreams: [{name: app, nodes: []}]\n"),
             {"a.yaml:6:40: error: services[0].routes[0].upstreams[0].nodes: the upstream has no "
              "node; give one at least"}},
        Rule{"NoUpstreams",
             WithRoute("        upstreams: []\n"),
             {"a.yaml:6:20: error: services[0].routes[0].upstreams: the route has no upstream; "
              "give one at least"}},
        Rule{"SharedWithoutNodes",
             WithBlocks("upstreams: [{name: x}]\n"),
             {"a.yaml:9:13: error: upstreams[0]: the key 'nodes' is missing",
              "a.yaml:9:20: warning: upstreams[0].name: no route uses upstream 'x'"}},
        Rule{"SharedWithWeight",
             WithBlocks("upstreams: [{name: x, weight: 2, nodes: [{addr: '10.0.0.1:80'}]}]\n"),
             {"a.yaml:9:20: warning: upstreams[0].name: no route uses upstream 'x'",
              "a.yaml:9:23: error: upstreams[0].weight: unknown key 'weight'; known here: name, "
              "lb_strategy, hash_on, health_check, nodes, tls, protocol, proxy_protocol, "
              "timeouts, keep_alive, circuit_breaker, outlier_detection, slow_start, "
              "panic_threshold_percent"}},
        Rule{"UnknownReference",
             WithRoute("        upstreams: [{name: ap}]\n"
                       "upstreams: [{name: app, nodes: [{addr: '10.0.0.1:80'}]}]\n"),
             {"a.yaml:6:28: error: services[0].routes[0].upstreams[0].name: no upstream is named "
              "'ap'; did you mean 'app'?",
              "a.yaml:7:20: warning: upstreams[0].name: no route uses upstream 'app'"}},
        Rule{"UnknownReferenceWithoutSuggestion",
             WithRoute("        upstreams: [{name: other}]\n"),
             {"a.yaml:6:28: error: services[0].routes[0].upstreams[0].name: no upstream is named "
              "'other'; give it nodes, here or in the list 'upstreams'"}},
        Rule{"Unused",
             WithBlocks("upstreams: [{name: x, nodes: [{addr: '10.0.0.1:80'}]}]\n"),
             {"a.yaml:9:20: warning: upstreams[0].name: no route uses upstream 'x'"}},
        Rule{"OtherContent",
             WithBlocks("upstreams: [{name: app, nodes: [{addr: '10.0.0.2:80'}]}]\n"),
             {"a.yaml:7:19: error: services[0].routes[0].upstreams[0].name: upstream 'app' has "
              "other content at a.yaml:9:20; make them equal, give only its name here, or rename "
              "one"}},
        Rule{"SameContent",
             WithBlocks("upstreams: [{name: app, nodes: [{addr: '10.0.0.1:80'}]}]\n"),
             {}},
        Rule{"NodeTwice",
             WithRoute("        upstreams: [{name: app, nodes: [{addr: '10.0.0.1:80'}, {addr: "
                       "'10.0.0.1:80'}]}]\n"),
             {"a.yaml:6:71: error: services[0].routes[0].upstreams[0].nodes[1].addr: '10.0.0.1:80' "
              "occurs twice, first at a.yaml:6:48; give it a weight instead"}},
        Rule{"UpstreamTwiceInRoute",
             WithUpstream("          - name: app\n"),
             {"a.yaml:9:19: error: services[0].routes[0].upstreams[1].name: upstream 'app' is in "
              "this route already, at a.yaml:7:19; add up the weights"}},
        Rule{"AllWeightsZero",
             WithUpstream("            weight: 0\n"),
             {"a.yaml:7:11: error: services[0].routes[0].upstreams: all weights are 0; give one "
              "upstream a weight"}},
        Rule{"TimeoutLongerThanFrequency",
             WithUpstream("            health_check: {frequency_secs: 5, timeout: 6s}\n"),
             {"a.yaml:9:56: error: services[0].routes[0].upstreams[0].health_check.timeout: '6s' "
              "is longer than frequency_secs (5); make it shorter"}},
        Rule{"WarmUpLongerThanControllersWait",
             WithUpstream("            health_check: {initially_unhealthy: true, warm_up: 6s}\n"),
             {"a.yaml:9:64: error: services[0].routes[0].upstreams[0].health_check.warm_up: '6s' "
              "is out of range; give 0ms to 5s"}},
        Rule{"DefaultTimeoutFitsFrequency",
             WithUpstream("            health_check: {frequency_secs: 1}\n"),
             {}},
        Rule{"HttpPathWithTcpIsFine",
             WithUpstream("            health_check: {schema: tcp, http_path: '/health'}\n"),
             {}},
        Rule{"HashOnWithOtherStrategyIsFine",
             WithUpstream("            lb_strategy: random\n            hash_on: 'path'\n"),
             {}},
        Rule{"ClientCertificateWithoutKey",
             WithUpstream("            tls: {cert_path: 'c.pem'}\n"),
             {"a.yaml:9:30: error: services[0].routes[0].upstreams[0].tls.cert_path: 'key_path' is "
              "missing beside it"}}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Services, RulesTest,
    testing::Values(
        Rule{"NameTwice",
             "services:\n  - {name: a, bind_address: '127.0.0.1:80', routes: []}\n"
             "  - {name: a, bind_address: '127.0.0.1:81', routes: []}\n",
             {"a.yaml:3:12: error: services[1].name: another service is named 'a', at a.yaml:2:12; "
              "rename one"}},
        Rule{"AddressTwice",
             "services:\n  - {name: a, bind_address: '127.0.0.1:80', routes: []}\n"
             "  - {name: b, bind_address: '0.0.0.0:80', routes: []}\n",
             {"a.yaml:3:29: error: services[1].bind_address: service 'a' listens on 127.0.0.1:80 "
              "already at a.yaml:2:29; give one of them another port"}},
        Rule{"AddressTwiceWherePlacementsExcludeEachOther",
             "services:\n"
             "  - {name: a, bind_address: '0.0.0.0:80', placement: {zone: eu}, routes: []}\n"
             "  - {name: b, bind_address: '0.0.0.0:80', placement: {zone: us}, routes: []}\n",
             {}},
        Rule{"AddressTwiceWhereANodeMayHaveBoth",
             "services:\n"
             "  - {name: a, bind_address: '0.0.0.0:80', placement: {zone: eu}, routes: []}\n"
             "  - {name: b, bind_address: '0.0.0.0:80', placement: {tier: edge}, routes: []}\n",
             {"a.yaml:3:29: error: services[1].bind_address: service 'a' listens on 0.0.0.0:80 "
              "already at a.yaml:2:29; give one of them another port"}},
        Rule{"AddressOfAdmin",
             "services:\n  - {name: a, bind_address: '127.0.0.1:6190', routes: []}\n",
             {"a.yaml:2:29: error: services[0].bind_address: the admin API listens on "
              "127.0.0.1:6190 already; give one of them another port"}},
        Rule{"RouteNameTwice",
             WithRoute("        respond: {}\n      - {name: all, host: a.test, respond: {}}\n"),
             {"a.yaml:7:16: error: services[0].routes[1].name: another route of this service is "
              "named 'all', at a.yaml:5:15; rename one"}},
        Rule{"Unreachable",
             WithRoute("        respond: {}\n      - {name: never, host: a.test, respond: {}}\n"),
             {"a.yaml:7:16: warning: services[0].routes[1].name: no request can reach this route: "
              "'all' at a.yaml:5:15 takes them all; move it up, or remove it"}},
        Rule{"TlsWithoutCertificate",
             WithService("    tls: {enabled: true}\n"),
             {"a.yaml:4:10: error: services[0].tls: TLS needs a certificate; give 'cert_path' and "
              "'key_path'"}},
        Rule{"TlsWithoutKey",
             WithService("    tls: {cert_path: a.pem}\n"),
             {"a.yaml:4:22: error: services[0].tls.cert_path: 'key_path' is missing beside it"}},
        Rule{"TlsOffWithoutCertificate", WithService("    tls: {enabled: false}\n"), {}},
        Rule{"TargetFitsSmallerHeader", WithService("    limits: {header_bytes: 1024}\n"), {}},
        Rule{"TargetLargerThanHeader",
             WithService("    limits: {header_bytes: 1024, target_bytes: 2048}\n"),
             {"a.yaml:4:48: error: services[0].limits.target_bytes: 2048 is more than header_bytes "
              "(1024), which includes the target"}}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Yaml, RulesTest,
    testing::Values(
        Rule{"KeyTwice",
             WithBlocks("admin: {}\nadmin: {}\n"),
             {"a.yaml:10:1: error: : key 'admin' is given twice, first at a.yaml:9:1"}},
        Rule{"Anchor",
             WithBlocks("server: &a {worker_threads: 1}\n"),
             {"a.yaml:9:9: error: : anchors (&name) are not supported; write the value out where "
              "it is needed"}},
        Rule{"Alias",
             WithBlocks("server: &a {worker_threads: 1}\nlogging: *a\n"),
             {"a.yaml:9:9: error: : anchors (&name) are not supported; write the value out where "
              "it is needed",
              "a.yaml:10:10: error: : aliases (*name) are not supported; write the value out where "
              "it is needed"}},
        Rule{"MergeKey",
             WithBlocks("server: {<<: {worker_threads: 1}}\n"),
             {"a.yaml:9:10: error: : merge keys (<<) are not supported; write the keys out where "
              "they are needed"}},
        Rule{"UnknownAlias",
             WithBlocks("server: *nobody\n"),
             {"a.yaml:9:9: error: : aliases (*name) are not supported; write the value out where "
              "it is needed"}},
        Rule{"Tag",
             WithBlocks("server: {log_level: !!binary aW5mbw==}\n"),
             {"a.yaml:9:21: error: : tags ('!!binary') are not supported; remove it",
              "a.yaml:9:21: error: server.log_level: 'aW5mbw==' is not known here; use trace, "
              "debug, info, warn, error or off"}},
        Rule{"TwoDocuments",
             WithBlocks("---\nserver: {}\n"),
             {"a.yaml:9:1: error: : a second document begins here; one file holds one document "
              "(check the indentation, or remove the '---')"}},
        Rule{"TrailingDocumentEnd", WithBlocks("...\n"), {}},
        Rule{"TabIndentation",
             "services:\n\t- name: a\n",
             {"a.yaml:2:1: error: : a tab in the indentation; YAML is indented with spaces"}},
        Rule{"Empty",
             "",
             {"a.yaml:0:0: error: : the document is empty; it needs 'services' at least"}},
        Rule{"OnlyComments",
             "# nothing\n",
             {"a.yaml:0:0: error: : the document is empty; it needs 'services' at least"}},
        Rule{"OpenQuote",
             WithBlocks("server: {log_level: 'info}\n"),
             {"a.yaml:9:21: error: : the quote ' opened here is never closed"}},
        Rule{"OpenBracket",
             WithBlocks("tests: [\n"),
             {"a.yaml:10:1: error: : a '[' is never closed by ']'"}},
        Rule{"OpenQuoteInBlock",
             WithBlocks("server:\n  log_level: 'info\n"),
             {"a.yaml:10:14: error: : the quote ' opened here is never closed",
              "a.yaml:10:14: error: server.log_level: 'info ' is not known here; did you mean "
              "'info'?"}},
        Rule{"TabInBlockScalar",
             WithRoute("        respond:\n          body: |\n            x\n            \ty\n"),
             {}},
        Rule{"BadIndentation",
             WithBlocks("admin:\n  enabled: true\n bind_address: x\n"),
             {"a.yaml:11:2: error: : the mapping does not go on here; check the indentation"}},
        Rule{"KeyIsAList",
             WithBlocks("? [a]\n: b\n"),
             {"a.yaml:9:3: error: : a key must be plain text"}},
        Rule{"NotUtf8",
             WithBlocks("# \xff\n"),
             {"a.yaml:9:3: error: : byte 0xff is not UTF-8; save the file as UTF-8"}},
        Rule{"Utf16",
             std::string("\xff\xfe"
                         "a\0",
                         4),
             {"a.yaml:1:1: error: : the file is UTF-16; save it as UTF-8"}},
        Rule{"Nul",
             std::string("a: \0", 4),
             {"a.yaml:1:4: error: : a NUL byte; this is not a text file"}},
        Rule{"Control",
             "a: \x01\n",
             {"a.yaml:1:4: error: : a control character (0x01); write it as \"\\x01\" in double "
              "quotes if it is meant"}},
        Rule{"CarriageReturn",
             "a: 1\rb: 2\n",
             {"a.yaml:1:5: error: : a carriage return without a line feed; end lines with LF or "
              "CRLF"}},
        Rule{"ColumnsCountCharacters",
             WithBlocks("server: {log_level: \"é\", log_format: x}\n"),
             {"a.yaml:9:21: error: server.log_level: 'é' is not known here; use trace, debug, "
              "info, warn, error or off",
              "a.yaml:9:38: error: server.log_format: 'x' is not known here; use json or text"}}),
    NameOf);

TEST(RulesTest, ReportsAllProblemsAtOnceInTheOrderOfTheDocument) {
  EXPECT_EQ(
      ProblemsOf("server: {worker_threads: 010}\n"
                 "services:\n"
                 "  - name: a\n"
                 "    bind_address: nowhere\n"
                 "    routes:\n"
                 "      - name: r\n"
                 "        hots: x\n"
                 "        upstreams: [{name: missing}]\n"),
      (std::vector<std::string>{
          "a.yaml:1:26: error: server.worker_threads: '010' begins with a zero, which some read as "
          "octal; write '10'",
          "a.yaml:4:19: error: services[0].bind_address: 'nowhere': the port is missing; write "
          "host:port",
          "a.yaml:7:9: error: services[0].routes[0].hots: unknown key 'hots'; did you mean 'host'?",
          "a.yaml:8:28: error: services[0].routes[0].upstreams[0].name: no upstream is named "
          "'missing'; give it nodes, here or in the list 'upstreams'"}));
}

TEST(RulesTest, ManyProblemsAreCutButCounted) {
  std::string document = "services: []\n";
  for (int i = 0; i < 1500; ++i) document += fmt::format("x{}: 1\n", i);
  const std::vector<std::string> problems = ProblemsOf(document);
  ASSERT_EQ(problems.size(), 1001u);
  EXPECT_EQ(problems.back(),
            "a.yaml:0:0: error: : 500 more errors are not shown; mend these first");
}

}  // namespace
}  // namespace sluice::build
