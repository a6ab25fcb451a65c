// What a document is beyond its keys: several files, files it names, requests it is tested with.
#include <gtest/gtest.h>

#include "controlplane/build/testing_documents.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"

namespace sluice::build {
namespace {

using config::testing_certificates::MakeSelfSigned;
using config::testing_certificates::Pair;
using testing_documents::Build;
using testing_documents::DocumentOf;
using testing_documents::Get;
using testing_documents::kNow;
using testing_documents::LinesOf;
using testing_documents::ProblemsOf;
using testing_documents::SendAlong;
using testing_documents::WithBlocks;
using testing_documents::WithService;
using testing_documents::WithUpstream;
using Lines = std::vector<std::string>;

v1::Document TwoFiles(const std::string& first, const std::string& second) {
  v1::Document document = DocumentOf(first);
  auto& file = *document.add_files();
  file.set_path("b.yaml");
  file.set_content(second);
  return document;
}

TEST(DocumentTest, ListsOfSeveralFilesAreJoined) {
  const v1::Document document = TwoFiles(
      "services: [{name: a, bind_address: '127.0.0.1:80', routes: [{name: r, "
      "upstreams: [{name: u}]}]}]\n",
      "services: [{name: b, bind_address: '127.0.0.1:81', routes: []}]\n"
      "upstreams: [{name: u, nodes: [{addr: '10.0.0.1:80'}]}]\n"
      "server: {worker_threads: 2}\n");
  const BuildResult result = Build(document);
  EXPECT_EQ(LinesOf(result), Lines());
  EXPECT_EQ(result.resources.size(), 6u);
  EXPECT_EQ(SourcesOf(document).at("listener/b"), "b.yaml:1:19");
}

TEST(DocumentTest, ABlockStandsInOneFileOnly) {
  EXPECT_EQ(
      LinesOf(Build(TwoFiles("services: []\nserver: {}\n", "server: {}\n"))),
      Lines({"b.yaml:1:9: error: server: 'server' is given at a.yaml:2:9 already; it may stand in "
             "one file only"}));
}

TEST(DocumentTest, NamesAreUniqueOverAllFiles) {
  const std::string service = "services: [{name: a, bind_address: '127.0.0.1:80', routes: []}]\n";
  EXPECT_EQ(
      LinesOf(Build(TwoFiles(service, service))),
      Lines({
          "b.yaml:1:19: error: services[0].name: another service is named 'a', at a.yaml:1:19; "
          "rename one",
      }));
}

TEST(DocumentTest, AnEmptyFileAmongOthersIsAWarning) {
  const BuildResult result = Build(TwoFiles("services: []\n", "# later\n"));
  EXPECT_EQ(LinesOf(result), Lines({"b.yaml:0:0: warning: : the file is empty"}));
  EXPECT_TRUE(result.ok());
}

TEST(DocumentTest, ADocumentWithoutFilesIsEmpty) {
  EXPECT_EQ(LinesOf(Build(v1::Document())),
            Lines({"document:0:0: error: : the document is empty; it needs 'services' at least"}));
}

TEST(DocumentTest, CrlfAndByteOrderMarkMeanWhatTheyMeanElsewhere) {
  std::string crlf = "\xef\xbb\xbf";
  for (const char c : WithUpstream("            lb_strategy: 'random'\n")) {
    if (c == '\n') crlf += '\r';
    crlf += c;
  }
  const BuildResult result = Build(DocumentOf(crlf));
  EXPECT_EQ(LinesOf(result), Lines());
  EXPECT_EQ(result.root,
            Build(DocumentOf(WithUpstream("            lb_strategy: 'random'\n"))).root);
}

TEST(DocumentTest, TrustedProxiesOfTheServerAreTheDefaultOfEachService) {
  const BuildResult result = Build(
      DocumentOf("server: {trusted_proxies: ['10.0.0.0/8']}\n"
                 "services:\n"
                 "  - {name: a, bind_address: '127.0.0.1:80', routes: []}\n"
                 "  - {name: b, bind_address: '127.0.0.1:81', trusted_proxies: [], routes: []}\n"
                 "  - {name: c, bind_address: '127.0.0.1:82', trusted_proxies: ['10.1.0.0/16'], "
                 "routes: []}\n"));
  const auto trusted = [&](const std::string& name) {
    const auto l = Get<v1::Listener>(result.resources, v1::RESOURCE_KIND_LISTENER, name);
    return Lines(l.trusted_proxies().begin(), l.trusted_proxies().end());
  };
  EXPECT_EQ(trusted("a"), Lines({"10.0.0.0/8"}));
  EXPECT_EQ(trusted("b"), Lines());
  EXPECT_EQ(trusted("c"), Lines({"10.1.0.0/16"}));
}

TEST(DocumentTest, ProxyProtocolIsRequiredOfThoseWhoMaySendIt) {
  const BuildResult result =
      Build(DocumentOf("services:\n"
                       "  - {name: a, bind_address: '127.0.0.1:80', routes: []}\n"
                       "  - {name: b, bind_address: '127.0.0.1:81', routes: [], "
                       "proxy_protocol: {trusted: ['10.0.0.0/8']}}\n"
                       "  - {name: c, bind_address: '127.0.0.1:82', routes: [], "
                       "proxy_protocol: {trusted: ['10.0.0.0/8', '::1'], required: false}}\n"));
  EXPECT_EQ(LinesOf(result), Lines());
  const auto listener = [&](const std::string& name) {
    return Get<v1::Listener>(result.resources, v1::RESOURCE_KIND_LISTENER, name);
  };
  EXPECT_FALSE(listener("a").has_proxy_protocol());
  EXPECT_TRUE(listener("b").proxy_protocol().required());
  EXPECT_EQ(listener("c").proxy_protocol().trusted_size(), 2);
  EXPECT_FALSE(listener("c").proxy_protocol().required());
}

TEST(DocumentTest, ProxyProtocolOfServicesNeedsItsSenders) {
  for (const std::string block : {"{}", "{trusted: []}", "{trusted: ['lb.internal']}", "v1"}) {
    EXPECT_FALSE(Build(DocumentOf("services:\n"
                                  "  - {name: b, bind_address: '127.0.0.1:81', routes: [], "
                                  "proxy_protocol: " +
                                  block + "}\n"))
                     .ok())
        << block;
  }
}

TEST(DocumentTest, ProxyProtocolOfUpstreamsIsOneOfItsVersions) {
  const auto spoken = [](const std::string& word) {
    const BuildResult result =
        Build(DocumentOf(WithUpstream("            proxy_protocol: " + word + "\n")));
    if (!result.ok()) return -1;
    return static_cast<int>(
        Get<v1::Cluster>(result.resources, v1::RESOURCE_KIND_CLUSTER, "app").proxy_protocol());
  };
  EXPECT_EQ(spoken("none"), v1::PROXY_PROTOCOL_NONE);
  EXPECT_EQ(spoken("v1"), v1::PROXY_PROTOCOL_V1);
  EXPECT_EQ(spoken("'v2'"), v1::PROXY_PROTOCOL_V2);
  EXPECT_EQ(spoken("v3"), -1);
  EXPECT_EQ(spoken("true"), -1);
}

TEST(DocumentTest, HostsAreKeptInLowerCase) {
  const BuildResult result = Build(DocumentOf(
      testing_documents::WithRoute("        host: '*.Example.COM'\n        respond: {}\n")));
  const auto table = Get<v1::RouteTable>(result.resources, v1::RESOURCE_KIND_ROUTE_TABLE, "web");
  ASSERT_EQ(table.routes_size(), 1);
  EXPECT_EQ(table.routes(0).host(), "*.example.com");
  EXPECT_EQ(table.routes(0).respond().status(), 200u);
}

TEST(DocumentTest, RoutesThatForwardGetTheirDefaults) {
  const BuildResult result = Build(DocumentOf(WithUpstream("            weight: 3\n")));
  const auto table = Get<v1::RouteTable>(result.resources, v1::RESOURCE_KIND_ROUTE_TABLE, "web");
  ASSERT_EQ(table.routes_size(), 1);
  const v1::Forward& forward = table.routes(0).forward();
  EXPECT_EQ(forward.retry().attempts(), 3u);
  EXPECT_EQ(forward.timeouts().first_byte_ms(), 60'000u);
  EXPECT_EQ(forward.timeouts().idle_ms(), 60'000u);
  ASSERT_EQ(forward.clusters_size(), 1);
  EXPECT_EQ(forward.clusters(0).weight(), 3u);
  const auto cluster = Get<v1::Cluster>(result.resources, v1::RESOURCE_KIND_CLUSTER, "app");
  EXPECT_EQ(cluster.lb_strategy(), v1::LB_STRATEGY_LEAST_REQUEST);
  EXPECT_EQ(cluster.keep_alive().connections(), 256u);
  EXPECT_EQ(cluster.timeouts().connect_ms(), 5'000u);
  EXPECT_FALSE(cluster.has_tls());
}

// ---- Certificates ----------------------------------------------------------------------------

v1::Document WithCertificate(const std::string& chain, const std::string& key) {
  v1::Document document = DocumentOf(WithService("    tls: {cert_path: a.pem, key_path: a.key}\n"));
  SendAlong("a.pem", chain, &document);
  SendAlong("a.key", key, &document);
  return document;
}

TEST(DocumentTest, CertificatesThatCannotBeReadAreErrorsWhereTheyAreNamed) {
  EXPECT_EQ(ProblemsOf(WithService("    tls: {cert_path: a.pem, key_path: a.key}\n")),
            Lines({"a.yaml:4:22: error: services[0].tls.cert_path: cannot read 'a.pem': it was not "
                   "sent along "
                   "with the document; the controller must be able to read it",
                   "a.yaml:4:39: error: services[0].tls.key_path: cannot read 'a.key': it was not "
                   "sent along "
                   "with the document; the controller must be able to read it"}));
}

TEST(DocumentTest, AKeyOfAnotherCertificateIsAnErrorAtTheKey) {
  const BuildResult result =
      Build(WithCertificate(MakeSelfSigned().chain_pem, MakeSelfSigned().key_pem));
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_EQ(result.problems[0].path(), "services[0].tls.key_path");
  EXPECT_EQ(result.problems[0].line(), 4u);
  EXPECT_TRUE(result.resources.empty());
}

TEST(DocumentTest, GarbageForACertificateIsAnErrorAtTheCertificate) {
  const BuildResult result = Build(WithCertificate("garbage", MakeSelfSigned().key_pem));
  EXPECT_EQ(
      LinesOf(result),
      Lines(
          {"a.yaml:4:22: error: services[0].tls.cert_path: 'a.pem': no certificate found; give PEM "
           "text with -----BEGIN CERTIFICATE-----"}));
}

TEST(DocumentTest, AnEncryptedKeyIsRefusedWithTheRemedy) {
  const Pair pair = MakeSelfSigned();
  EXPECT_EQ(
      LinesOf(Build(WithCertificate(pair.chain_pem, pair.encrypted_key_pem))),
      Lines(
          {"a.yaml:4:39: error: services[0].tls.key_path: 'a.key': the key is encrypted; store it "
           "without a password (openssl pkey -in FILE -out FILE)"}));
}

TEST(DocumentTest, ExpiryIsAWarning) {
  const auto lines = [](int64_t from, int64_t to) {
    const Pair pair = MakeSelfSigned({.not_before_unix = from, .not_after_unix = to});
    const BuildResult result = Build(WithCertificate(pair.chain_pem, pair.key_pem));
    EXPECT_TRUE(result.ok());
    return LinesOf(result);
  };
  constexpr int64_t kDay = 86'400;
  EXPECT_EQ(lines(kNow - 2 * kDay, kNow - kDay),
            Lines({"a.yaml:4:22: warning: services[0].tls.cert_path: 'a.pem' expired on "
                   "2027-01-14; clients "
                   "will refuse it, renew it"}));
  EXPECT_EQ(lines(kNow - kDay, kNow + 29 * kDay),
            Lines({"a.yaml:4:22: warning: services[0].tls.cert_path: 'a.pem' expires on "
                   "2027-02-13; renew it"}));
  EXPECT_EQ(lines(kNow + kDay, kNow + 90 * kDay),
            Lines({"a.yaml:4:22: warning: services[0].tls.cert_path: 'a.pem' is not valid before "
                   "2027-01-16; "
                   "clients will refuse it until then"}));
  EXPECT_EQ(lines(kNow - kDay, kNow + 31 * kDay), Lines());
}

TEST(DocumentTest, OneCertificateHasOneKey) {
  const Pair pair = MakeSelfSigned();
  v1::Document document = DocumentOf(
      "services:\n"
      "  - {name: a, bind_address: '127.0.0.1:80', tls: {cert_path: a.pem, key_path: a.key}, "
      "routes: []}\n"
      "  - {name: b, bind_address: '127.0.0.1:81', tls: {cert_path: a.pem, key_path: b.key}, "
      "routes: []}\n");
  SendAlong("a.pem", pair.chain_pem, &document);
  SendAlong("a.key", pair.key_pem, &document);
  EXPECT_EQ(
      LinesOf(Build(document)),
      Lines({"a.yaml:3:79: error: services[1].tls.key_path: 'a.pem' has another key ('a.key') at "
             "a.yaml:2:79; one certificate has one key"}));
}

TEST(DocumentTest, AuthoritiesTravelInTheUpstream) {
  const Pair pair = MakeSelfSigned();
  v1::Document document = DocumentOf(WithUpstream(
      "            tls: {ca_path: ca.pem, cert_path: c.pem, key_path: c.key, verify: false}\n"));
  SendAlong("ca.pem", pair.chain_pem, &document);
  SendAlong("c.pem", pair.chain_pem, &document);
  SendAlong("c.key", pair.key_pem, &document);
  const BuildResult result = Build(document);
  EXPECT_EQ(LinesOf(result), Lines());
  const auto cluster = Get<v1::Cluster>(result.resources, v1::RESOURCE_KIND_CLUSTER, "app");
  EXPECT_EQ(cluster.tls().ca_pem(), pair.chain_pem);
  EXPECT_EQ(cluster.tls().client_certificate(), "c.pem");
  EXPECT_TRUE(cluster.tls().enabled());
  EXPECT_TRUE(cluster.tls().skip_verify());
  EXPECT_EQ(ReferencedPaths(document), Lines({"c.key", "c.pem", "ca.pem"}));
}

TEST(DocumentTest, KeysThatNameFilesAreFoundHoweverTheyAreWritten) {
  EXPECT_EQ(ReferencedPaths(DocumentOf(
                WithUpstream("            tls: {\"ca\\x5fpath\": ca.pem, verify: false}\n"))),
            Lines({"ca.pem"}));
  EXPECT_EQ(ReferencedPaths(DocumentOf(WithUpstream("            tls: {verify: false}\n"))),
            Lines());
}

TEST(DocumentTest, CertificatesAreReadBesideTheDocument) {
  const Pair pair = MakeSelfSigned();
  const std::string folder = testing::TempDir() + "/document_test";
  ASSERT_TRUE(base::MakeDirectory(folder, 0700).ok());
  ASSERT_TRUE(base::WriteFileAtomically(folder + "/a.pem", pair.chain_pem, 0600).ok());
  ASSERT_TRUE(base::WriteFileAtomically(folder + "/a.key", pair.key_pem, 0600).ok());
  v1::Document document = DocumentOf(WithService("    tls: {cert_path: a.pem, key_path: a.key}\n"));
  document.mutable_files(0)->set_path(folder + "/sluice.yaml");
  EXPECT_EQ(LinesOf(BuildSnapshot(document, {.now_unix = kNow})), Lines());
}

// ---- tests: ----------------------------------------------------------------------------------

constexpr char kRoutes[] =
    "services:\n"
    "  - name: web\n"
    "    bind_address: '127.0.0.1:8000'\n"
    "    routes:\n"
    "      - {name: api, path_prefix: /api, strip_prefix: /api, upstreams: [{name: u, nodes: "
    "[{addr: '10.0.0.1:80'}]}]}\n"
    "      - {name: gone, host: old.test, respond: {status: 410}}\n";

Lines Tested(const std::string& request, const std::string& expect) {
  return ProblemsOf(fmt::format("{}tests:\n  - name: t\n    request: {{{}}}\n    expect: {{{}}}\n",
                                kRoutes, request, expect));
}

TEST(DocumentTest, TestsThatHoldAreCounted) {
  const BuildResult result = Build(DocumentOf(fmt::format(
      "{}tests:\n"
      "  - {{name: a, request: {{url: 'http://x.test/api/v?q=1'}}, expect: {{route: api, upstream: "
      "u, path: '/v?q=1'}}}}\n"
      "  - {{name: b, request: {{url: 'http://x.test/', headers: {{Host: 'old.test:8000'}}}}, "
      "expect: {{route: gone, status: 410}}}}\n"
      "  - {{name: c, request: {{url: 'http://x.test/nothing'}}, expect: {{status: 404}}}}\n"
      "  - {{name: d, request: {{url: 'http://x.test/%zz'}}, expect: {{status: 400}}}}\n"
      "  - {{name: e, request: {{url: 'http://x.test/api/a%2Fb'}}, expect: {{status: 400}}}}\n",
      kRoutes)));
  EXPECT_EQ(LinesOf(result), Lines());
  EXPECT_EQ(result.tests_run, 5);
}

TEST(DocumentTest, TestsThatFailSayWhatCameInstead) {
  EXPECT_EQ(
      Tested("url: 'http://x.test/apix'", "route: api"),
      Lines(
          {"a.yaml:10:21: error: tests[0].expect.route: test 't' failed: expected route 'api', but "
           "the "
           "answer is 404: no route matches ('api' was tried before: the path '/apix' does not lie "
           "under '/api')"}));
  EXPECT_EQ(Tested("url: 'http://old.test/api'", "route: gone"),
            Lines({"a.yaml:10:21: error: tests[0].expect.route: test 't' failed: expected route "
                   "'gone', but "
                   "route 'api' forwards it"}));
  EXPECT_EQ(Tested("url: 'http://x.test/api/v'", "path: '/api/v'"),
            Lines({"a.yaml:10:20: error: tests[0].expect.path: test 't' failed: expected path "
                   "'/api/v' to be "
                   "sent, but it is '/v'"}));
  EXPECT_EQ(Tested("url: 'http://x.test/api'", "upstream: v"),
            Lines({"a.yaml:10:24: error: tests[0].expect.upstream: test 't' failed: expected "
                   "upstream 'v', but "
                   "route 'api' goes to 'u'"}));
  EXPECT_EQ(
      Tested("url: 'http://old.test/'", "status: 404"),
      Lines(
          {"a.yaml:10:22: error: tests[0].expect.status: test 't' failed: expected status 404, but "
           "route 'gone' answers 410 itself"}));
  EXPECT_EQ(
      Tested("url: 'http://x.test/api'", "route: apo"),
      Lines(
          {"a.yaml:10:21: error: tests[0].expect.route: test 't' failed: expected route 'apo', but "
           "service 'web' has no such route"}));
}

TEST(DocumentTest, TestsThatCannotRunAreErrors) {
  EXPECT_EQ(
      Tested("url: 'http://x.test/', service: wep", "status: 404"),
      Lines(
          {"a.yaml:9:47: error: tests[0].request.service: test 't' cannot run: no service is named "
           "'wep'; did you mean 'web'?"}));
  EXPECT_EQ(
      Tested("url: 'ftp://x.test/'", "status: 404"),
      Lines(
          {"a.yaml:9:20: error: tests[0].request.url: 'ftp://x.test/' is not a URL; write it like "
           "http://www.example.com/path"}));
  EXPECT_EQ(Tested("url: 'http://x.test/'", ""),
            Lines({"a.yaml:10:13: error: tests[0].expect: expects nothing; name a route, an "
                   "upstream, a path or "
                   "a status"}));
}

TEST(DocumentTest, AFailingTestRefusesTheDocument) {
  const BuildResult result = Build(DocumentOf(fmt::format(
      "{}tests: [{{name: t, request: {{url: 'http://x.test/'}}, expect: {{route: api}}}}]\n",
      kRoutes)));
  EXPECT_FALSE(result.ok());
  EXPECT_TRUE(result.resources.empty());
  EXPECT_EQ(result.root, "");
}

}  // namespace
}  // namespace sluice::build
