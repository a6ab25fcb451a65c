#include "common/config/validate.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/config/testing_certificates.h"

namespace sluice::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing_certificates::MakeSelfSigned;

// A snapshot without a fault; tests spoil one thing.
struct Parts {
  v1::Settings settings;
  v1::Listener listener;
  v1::RouteTable routes;
  v1::Cluster cluster;
  v1::Certificate certificate;
};

template <typename Message>
Message Text(const char* text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

const testing_certificates::Pair& CertificatePair() {
  static const testing_certificates::Pair pair = MakeSelfSigned();
  return pair;
}

Parts GoodParts() {
  Parts parts;
  parts.settings = Text<v1::Settings>(R"(
      worker_threads: 8 log_level: "info" log_format: "json" drain_timeout_ms: 30000
      admin { enabled: true address: "127.0.0.1:6190" }
      metrics { enabled: true address: "127.0.0.1:9090" }
      access_log { enabled: true path: "-" format: "json" fields: "time" fields: "status" })");
  parts.listener = Text<v1::Listener>(R"(
      name: "web" address: "0.0.0.0:8000" trusted_proxies: "10.0.0.0/8"
      tls { enabled: true certificates: "/c.pem" min_version: "1.2" }
      timeouts { handshake_ms: 10000 header_ms: 10000 idle_ms: 60000 keep_alive_ms: 60000 }
      limits { header_bytes: 32768 header_count: 100 target_bytes: 8192 body_bytes: 0 })");
  parts.routes = Text<v1::RouteTable>(R"(
      service: "web"
      routes { name: "users" path_prefix: "/api/v1/users"
               forward { clusters { cluster: "users" weight: 1 } strip_prefix: "/api/v1/users" } }
      routes { name: "moved" host: "old.test"
               redirect { status: 301 scheme: "https" host: "new.test:8443" } }
      routes { name: "denied" host: "*.x.test" path_prefix: "/admin"
               respond { status: 403 body: "no" content_type: "text/plain" } })");
  parts.cluster = Text<v1::Cluster>(R"(
      name: "users" lb_strategy: LB_STRATEGY_HASH hash_on: "header:X-User"
      endpoints { address: "10.0.1.1:8080" weight: 1 sni: "users.internal" }
      endpoints { address: "10.0.1.2:8080" weight: 2 }
      health_check { schema: HTTP http_path: "/health" interval_ms: 5000 timeout_ms: 2000
                     healthy_after: 2 unhealthy_after: 3 expected_statuses: 200 }
      tls { client_certificate: "/c.pem" }
      timeouts { connect_ms: 3000 }
      keep_alive { idle_ms: 60000 connections: 100 }
      panic_threshold_percent: 50)");
  parts.certificate.set_name("/c.pem");
  parts.certificate.set_chain_pem(CertificatePair().chain_pem);
  parts.certificate.set_key_pem(CertificatePair().key_pem);
  return parts;
}

snapshot::Resources ResourcesOf(const Parts& parts) {
  using snapshot::MakeResource;
  return {MakeResource(v1::RESOURCE_KIND_SETTINGS, "settings", parts.settings),
          MakeResource(v1::RESOURCE_KIND_LISTENER, parts.listener.name(), parts.listener),
          MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, parts.routes.service(), parts.routes),
          MakeResource(v1::RESOURCE_KIND_CLUSTER, parts.cluster.name(), parts.cluster),
          MakeResource(v1::RESOURCE_KIND_CERTIFICATE, parts.certificate.name(), parts.certificate)};
}

// "field: message" of each error.
std::vector<std::string> Errors(const snapshot::Resources& resources) {
  ParsedSnapshot parsed;
  std::vector<std::string> lines;
  for (const v1::ResourceError& error : ParseAndValidate(resources, &parsed)) {
    lines.push_back(error.field() + ": " + error.message());
  }
  return lines;
}

std::vector<std::string> ErrorsAfter(const std::function<void(Parts*)>& spoil) {
  Parts parts = GoodParts();
  spoil(&parts);
  return Errors(ResourcesOf(parts));
}

// One spoiled thing gives one error, at that field, with these words.
void ExpectOne(const char* field, const char* words, const std::function<void(Parts*)>& spoil) {
  const std::vector<std::string> errors = ErrorsAfter(spoil);
  ASSERT_EQ(errors.size(), 1u) << field << "; got " << testing::PrintToString(errors);
  EXPECT_THAT(errors[0], testing::StartsWith(std::string(field) + ": "));
  EXPECT_THAT(errors[0], HasSubstr(words));
}

TEST(ValidateTest, GoodSnapshotIsParsedWhole) {
  ParsedSnapshot parsed;
  EXPECT_THAT(Errors(ResourcesOf(GoodParts())), IsEmpty());
  EXPECT_TRUE(ParseAndValidate(ResourcesOf(GoodParts()), &parsed).empty());
  EXPECT_EQ(parsed.settings.worker_threads(), 8u);
  ASSERT_EQ(parsed.listeners.size(), 1u);
  EXPECT_EQ(parsed.route_tables[0].routes_size(), 3);
  EXPECT_EQ(parsed.clusters[0].endpoints_size(), 2);
  EXPECT_EQ(parsed.certificates[0].name(), "/c.pem");
}

TEST(ValidateTest, OrderOfResourcesDoesNotMatterAndTablesAlignWithListeners) {
  using snapshot::MakeResource;
  snapshot::Resources resources;
  for (const char* name : {"c", "a", "b"}) {
    v1::Listener listener;
    listener.set_name(name);
    listener.set_address(std::string("127.0.0.1:800") + static_cast<char>(*name - 'a' + '0'));
    v1::RouteTable table;
    table.set_service(name);
    resources.push_back(MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, name, table));
    resources.push_back(MakeResource(v1::RESOURCE_KIND_LISTENER, name, listener));
  }
  ParsedSnapshot parsed;
  EXPECT_THAT(ParseAndValidate(resources, &parsed), IsEmpty());
  ASSERT_EQ(parsed.listeners.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(parsed.listeners[i].name(), std::string(1, static_cast<char>('a' + i)));
    EXPECT_EQ(parsed.route_tables[i].service(), parsed.listeners[i].name());
  }
  EXPECT_EQ(parsed.settings.log_level(), "info");  // Filled in where settings are missing.
  EXPECT_EQ(parsed.settings.log_format(), "json");
}

TEST(ValidateTest, EmptySnapshotIsValid) { EXPECT_THAT(Errors({}), IsEmpty()); }

TEST(ValidateTest, ErrorsNameTheResource) {
  Parts parts = GoodParts();
  parts.cluster.mutable_endpoints(1)->set_weight(0);
  ParsedSnapshot parsed;
  const auto errors = ParseAndValidate(ResourcesOf(parts), &parsed);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].resource().kind(), v1::RESOURCE_KIND_CLUSTER);
  EXPECT_EQ(errors[0].resource().name(), "users");
  EXPECT_EQ(errors[0].field(), "endpoints[1].weight");
}

TEST(ValidateTest, AllErrorsAreReportedAtOnceUpToALimit) {
  EXPECT_EQ(ErrorsAfter([](Parts* parts) {
              parts->settings.set_log_level("loud");
              parts->listener.set_address("nonsense");
              parts->routes.mutable_routes(0)->set_path_prefix("api");
              parts->cluster.set_hash_on("moon");
              parts->certificate.set_key_pem("x");
            }).size(),
            6u);  // The strip_prefix no longer lies in the path_prefix.
  EXPECT_EQ(ErrorsAfter([](Parts* parts) {
              for (int i = 0; i < 5000; ++i) parts->routes.add_routes();
            }).size(),
            1000u);
}

TEST(ValidateTest, BodiesThatAreNoMessagesAreReported) {
  auto resource = std::make_shared<v1::Resource>();
  resource->set_kind(v1::RESOURCE_KIND_CLUSTER);
  resource->set_name("x");
  resource->set_body("\xff\xff\xff");
  EXPECT_THAT(Errors({resource}), testing::ElementsAre(HasSubstr("not a well-formed cluster")));
}

TEST(ValidateTest, KindsOfANewerControllerAreIgnored) {
  auto resource = std::make_shared<v1::Resource>();
  resource->set_kind(static_cast<v1::ResourceKind>(99));
  resource->set_name("x");
  EXPECT_THAT(Errors({resource}), IsEmpty());
}

TEST(ValidateTest, NamesOfBodyAndResourceMustAgree) {
  const Parts parts = GoodParts();
  snapshot::Resources resources = ResourcesOf(parts);
  resources[3] = snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, "other", parts.cluster);
  EXPECT_THAT(Errors(resources), testing::Contains(HasSubstr("they must agree")));
}

TEST(ValidateTest, DuplicateResourcesAreReported) {
  snapshot::Resources resources = ResourcesOf(GoodParts());
  resources.push_back(resources[3]);
  EXPECT_THAT(Errors(resources), testing::ElementsAre(HasSubstr("same kind and name")));
}

TEST(ValidateTest, TwoSettingsAreReported) {
  snapshot::Resources resources = ResourcesOf(GoodParts());
  resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_SETTINGS, "more", v1::Settings()));
  EXPECT_THAT(Errors(resources), testing::ElementsAre(HasSubstr("one settings resource only")));
}

TEST(ValidateTest, Settings) {
  ExpectOne("worker_threads", "at most 1024",
            [](Parts* parts) { parts->settings.set_worker_threads(5000); });
  ExpectOne("log_level", "'loud'", [](Parts* parts) { parts->settings.set_log_level("loud"); });
  ExpectOne("log_format", "'xml'", [](Parts* parts) { parts->settings.set_log_format("xml"); });
  ExpectOne("admin.address", "port is missing",
            [](Parts* parts) { parts->settings.mutable_admin()->set_address("127.0.0.1"); });
  ExpectOne("metrics.address", "port 0",
            [](Parts* parts) { parts->settings.mutable_metrics()->set_address("127.0.0.1:0"); });
  ExpectOne("drain_timeout_ms", "a day",
            [](Parts* parts) { parts->settings.set_drain_timeout_ms(90'000'000); });
  ExpectOne("limits.connections", "at most 10000000",
            [](Parts* parts) { parts->settings.mutable_limits()->set_connections(20'000'000); });
  ExpectOne("limits.memory_bytes", "at least 67108864",
            [](Parts* parts) { parts->settings.mutable_limits()->set_memory_bytes(1000); });
  ExpectOne("access_log.path", "absolute",
            [](Parts* parts) { parts->settings.mutable_access_log()->set_path("access.log"); });
  ExpectOne("access_log.format", "'xml'",
            [](Parts* parts) { parts->settings.mutable_access_log()->set_format("xml"); });
  ExpectOne("access_log.fields[2]", "listed twice",
            [](Parts* parts) { parts->settings.mutable_access_log()->add_fields("time"); });
}

TEST(ValidateTest, DisabledEndpointsNeedNoAddress) {
  EXPECT_THAT(ErrorsAfter([](Parts* parts) {
                parts->settings.mutable_admin()->Clear();
                parts->settings.mutable_metrics()->Clear();
                parts->settings.mutable_access_log()->Clear();
              }),
              IsEmpty());
}

TEST(ValidateTest, Listener) {
  ExpectOne("address", "a name is not supported yet",
            [](Parts* parts) { parts->listener.set_address("web.test:80"); });
  ExpectOne("tls.certificates", "needs a certificate",
            [](Parts* parts) { parts->listener.mutable_tls()->clear_certificates(); });
  ExpectOne("tls.certificates[0]", "did you mean '/c.pem'",
            [](Parts* parts) { parts->listener.mutable_tls()->set_certificates(0, "/d.pem"); });
  ExpectOne("tls.certificates[1]", "listed twice",
            [](Parts* parts) { parts->listener.mutable_tls()->add_certificates("/c.pem"); });
  ExpectOne("tls.min_version", "1.2 or 1.3",
            [](Parts* parts) { parts->listener.mutable_tls()->set_min_version("1.1"); });
  const auto auth = [](Parts* parts) {
    v1::ClientAuth* made = parts->listener.mutable_tls()->mutable_client_auth();
    made->set_ca_pem(CertificatePair().chain_pem);
    return made;
  };
  EXPECT_THAT(ErrorsAfter([&](Parts* parts) { auth(parts); }), testing::IsEmpty());
  ExpectOne("tls.client_auth.ca_pem", "no certificate found",
            [&](Parts* parts) { auth(parts)->clear_ca_pem(); });
  ExpectOne("tls.client_auth.mode", "required or optional",
            [&](Parts* parts) { auth(parts)->set_mode(static_cast<v1::ClientAuth::Mode>(7)); });
  ExpectOne("tls.client_auth", "without TLS", [&](Parts* parts) {
    auth(parts);
    parts->listener.mutable_tls()->set_enabled(false);
  });
  ExpectOne("trusted_proxies[0]", "10.0.0.0/8",
            [](Parts* parts) { parts->listener.set_trusted_proxies(0, "10.1.0.0/8"); });
  ExpectOne("proxy_protocol.trusted", "addresses of the load balancers",
            [](Parts* parts) { parts->listener.mutable_proxy_protocol()->set_required(true); });
  ExpectOne("proxy_protocol.trusted[0]", "10.0.0.0/8", [](Parts* parts) {
    parts->listener.mutable_proxy_protocol()->add_trusted("10.1.0.0/8");
  });
  ExpectOne("timeouts.header_ms", "a day",
            [](Parts* parts) { parts->listener.mutable_timeouts()->set_header_ms(4'000'000'000); });
  ExpectOne("limits.header_bytes", "out of range",
            [](Parts* parts) { parts->listener.mutable_limits()->set_header_bytes(1 << 30); });
  ExpectOne("limits.target_bytes", "includes the target",
            [](Parts* parts) { parts->listener.mutable_limits()->set_target_bytes(65536); });
}

TEST(ValidateTest, ListenersThatNoNodeCanHaveTogetherMayShareAnAddress) {
  using Labels = std::vector<std::string>;
  const auto errors_with = [](const Labels& one, const Labels& another) {
    Parts parts = GoodParts();
    parts.listener.mutable_placement()->Assign(one.begin(), one.end());
    snapshot::Resources resources = ResourcesOf(parts);
    v1::Listener other;
    other.set_name("other");
    other.set_address("0.0.0.0:8000");
    other.mutable_placement()->Assign(another.begin(), another.end());
    v1::RouteTable table;
    table.set_service("other");
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_LISTENER, "other", other));
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, "other", table));
    return Errors(resources).size();
  };
  EXPECT_EQ(errors_with({"tier=edge"}, {"tier=core"}), 0u);
  EXPECT_EQ(errors_with({"tier=edge", "zone=eu"}, {"rack=1", "zone=us"}), 0u);
  EXPECT_EQ(errors_with({"tier=edge"}, {"tier=edge", "zone=eu"}), 1u);
  EXPECT_EQ(errors_with({"tier=edge"}, {"zone=eu"}), 1u);
  EXPECT_EQ(errors_with({"tier=edge"}, {"tiers=core"}), 1u);
  EXPECT_EQ(errors_with({"tier=edge"}, {}), 1u);
}

TEST(ValidateTest, PlacementTakesLabels) {
  for (const char* label : {"tier", "=edge", "a b=c", "a=b,c"}) {
    ExpectOne("placement[0]", "no label",
              [label](Parts* parts) { parts->listener.add_placement(label); });
  }
}

TEST(ValidateTest, ListenersMustNotShareAnAddress) {
  const Parts parts = GoodParts();
  for (const auto& [address, collides] :
       std::vector<std::pair<std::string, bool>>{{"0.0.0.0:8000", true},
                                                 {"127.0.0.1:8000", true},  // Within 0.0.0.0.
                                                 {"127.0.0.1:6190", true},  // The admin API.
                                                 {"0.0.0.0:9090", true},    // The metrics.
                                                 {"0.0.0.0:8001", false},
                                                 {"[::1]:8000", false}}) {
    snapshot::Resources resources = ResourcesOf(parts);
    v1::Listener other;
    other.set_name("other");
    other.set_address(address);
    v1::RouteTable table;
    table.set_service("other");
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_LISTENER, "other", other));
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, "other", table));
    const auto errors = Errors(resources);
    EXPECT_EQ(errors.size(), collides ? 1u : 0u) << address;
    if (collides) {
      EXPECT_THAT(errors[0], HasSubstr("another address or port"));
    }
  }
}

TEST(ValidateTest, ListenersAndRouteTablesComeInPairs) {
  snapshot::Resources resources = ResourcesOf(GoodParts());
  resources.erase(resources.begin() + 2);
  EXPECT_THAT(Errors(resources), testing::ElementsAre(HasSubstr("has no route table")));

  resources = ResourcesOf(GoodParts());
  resources.erase(resources.begin() + 1);
  EXPECT_THAT(Errors(resources), testing::ElementsAre(HasSubstr("service: service 'web'")));
}

TEST(ValidateTest, Routes) {
  const auto route = [](Parts* parts, int i) { return parts->routes.mutable_routes(i); };
  ExpectOne("routes[1].name", "routes[0] is named 'users' too",
            [&](Parts* parts) { route(parts, 1)->set_name("users"); });
  ExpectOne("routes[1].name", "missing", [&](Parts* parts) { route(parts, 1)->clear_name(); });
  ExpectOne("routes[1].host", "lower case",
            [&](Parts* parts) { route(parts, 1)->set_host("Old.test"); });
  ExpectOne("routes[2].path_prefix", "write '/admin'",
            [&](Parts* parts) { route(parts, 2)->set_path_prefix("/%61dmin"); });
  ExpectOne("routes[1]", "does nothing", [&](Parts* parts) { route(parts, 1)->clear_redirect(); });
}

TEST(ValidateTest, Forwards) {
  const auto forward = [](Parts* parts) {
    return parts->routes.mutable_routes(0)->mutable_forward();
  };
  ExpectOne("routes[0].forward.clusters", "no upstream",
            [&](Parts* parts) { forward(parts)->clear_clusters(); });
  ExpectOne("routes[0].forward.clusters[0].cluster", "did you mean 'users'",
            [&](Parts* parts) { forward(parts)->mutable_clusters(0)->set_cluster("user"); });
  ExpectOne("routes[0].forward.clusters[1].cluster", "occurs twice",
            [&](Parts* parts) { *forward(parts)->add_clusters() = forward(parts)->clusters(0); });
  ExpectOne("routes[0].forward.clusters", "all weights are 0",
            [&](Parts* parts) { forward(parts)->mutable_clusters(0)->set_weight(0); });
  ExpectOne("routes[0].forward.clusters[0].weight", "too much",
            [&](Parts* parts) { forward(parts)->mutable_clusters(0)->set_weight(2'000'000); });
  for (const char* good : {"/api", "/api/v1", "/api/v1/users", "/"}) {
    EXPECT_THAT(ErrorsAfter([&](Parts* parts) { forward(parts)->set_strip_prefix(good); }),
                IsEmpty());
  }
  for (const char* bad : {"/ap", "/api/v2", "/api/v1/users/x", "/other", "api"}) {
    EXPECT_EQ(ErrorsAfter([&](Parts* parts) { forward(parts)->set_strip_prefix(bad); }).size(), 1u);
  }
  ExpectOne("routes[0].forward.strip_prefix", "its first segments",
            [&](Parts* parts) { forward(parts)->set_strip_prefix("/other"); });
  ExpectOne("routes[0].forward.host_rewrite", "not a host name",
            [&](Parts* parts) { forward(parts)->set_host_rewrite("a.test/x"); });
  ExpectOne("routes[0].forward.timeouts.first_byte_ms", "a day", [&](Parts* parts) {
    forward(parts)->mutable_timeouts()->set_first_byte_ms(4'000'000'000);
  });
  ExpectOne("routes[0].forward.retry.attempts", "too many",
            [&](Parts* parts) { forward(parts)->mutable_retry()->set_attempts(101); });
  ExpectOne("routes[0].forward.retry.on[0]", "5xx",
            [&](Parts* parts) { forward(parts)->mutable_retry()->add_on("500x"); });
}

TEST(ValidateTest, RedirectsAndResponses) {
  const auto redirect = [](Parts* parts) {
    return parts->routes.mutable_routes(1)->mutable_redirect();
  };
  ExpectOne("routes[1].redirect.status", "301, 302",
            [&](Parts* parts) { redirect(parts)->set_status(300); });
  ExpectOne("routes[1].redirect.scheme", "http or https",
            [&](Parts* parts) { redirect(parts)->set_scheme("ftp"); });
  ExpectOne("routes[1].redirect.host", "",
            [&](Parts* parts) { redirect(parts)->set_host("a\r\nSet-Cookie: x"); });
  ExpectOne("routes[1].redirect.path", "one '/'",
            [&](Parts* parts) { redirect(parts)->set_path("//evil.test"); });
  ExpectOne("routes[1].redirect", "leads to where it came from", [&](Parts* parts) {
    redirect(parts)->Clear();
    redirect(parts)->set_status(308);
  });
  const auto respond = [](Parts* parts) {
    return parts->routes.mutable_routes(2)->mutable_respond();
  };
  ExpectOne("routes[2].respond.status", "final status",
            [&](Parts* parts) { respond(parts)->set_status(101); });
  ExpectOne("routes[2].respond.body", "no body",
            [&](Parts* parts) { respond(parts)->set_status(204); });
  ExpectOne("routes[2].respond.body", "too many",
            [&](Parts* parts) { respond(parts)->set_body(std::string(70'000, 'x')); });
  ExpectOne("routes[2].respond.content_type", "control characters",
            [&](Parts* parts) { respond(parts)->set_content_type("a\r\nb: c"); });
}

TEST(ValidateTest, Cluster) {
  ExpectOne("lb_strategy", "not known",
            [](Parts* parts) { parts->cluster.set_lb_strategy(static_cast<v1::LbStrategy>(77)); });
  const auto grpc = [](Parts* parts, const char* service) {
    parts->cluster.mutable_health_check()->set_schema(v1::HealthCheck::GRPC);
    parts->cluster.mutable_health_check()->set_grpc_service(service);
  };
  ExpectOne("health_check.schema", "protocol: http2", [&](Parts* parts) { grpc(parts, ""); });
  ExpectOne("health_check.grpc_service", "shop.v1.Orders", [&](Parts* parts) {
    grpc(parts, "no name");
    parts->cluster.set_protocol(v1::UPSTREAM_PROTOCOL_HTTP2);
  });
  EXPECT_THAT(ErrorsAfter([&](Parts* parts) {
                grpc(parts, "shop.v1.Orders");
                parts->cluster.set_protocol(v1::UPSTREAM_PROTOCOL_HTTP2);
              }),
              IsEmpty());
  ExpectOne("protocol", "http1, http2 or auto", [](Parts* parts) {
    parts->cluster.set_protocol(static_cast<v1::UpstreamProtocol>(9));
  });
  ExpectOne("protocol", "remove proxy_protocol", [](Parts* parts) {
    parts->cluster.set_protocol(v1::UPSTREAM_PROTOCOL_HTTP2);
    parts->cluster.set_proxy_protocol(v1::PROXY_PROTOCOL_V2);
  });
  for (const char* hash_on : {"", "client_ip", "path", "cookie:sid", "query:id"}) {
    EXPECT_THAT(ErrorsAfter([&](Parts* parts) { parts->cluster.set_hash_on(hash_on); }), IsEmpty());
  }
  for (const char* hash_on : {"header:", "header:a b", "cookie", "query:", "query:a&b", "ip"}) {
    EXPECT_EQ(ErrorsAfter([&](Parts* parts) { parts->cluster.set_hash_on(hash_on); }).size(), 1u);
  }
  ExpectOne("endpoints", "no node", [](Parts* parts) { parts->cluster.clear_endpoints(); });
  ExpectOne("endpoints[0].address", "a name is not supported yet", [](Parts* parts) {
    parts->cluster.mutable_endpoints(0)->set_address("users.internal:80");
  });
  ExpectOne("endpoints[0].address", "no address to connect to",
            [](Parts* parts) { parts->cluster.mutable_endpoints(0)->set_address("0.0.0.0:80"); });
  ExpectOne("endpoints[1].address", "occurs twice", [](Parts* parts) {
    parts->cluster.mutable_endpoints(1)->set_address("10.0.1.1:8080");
  });
  ExpectOne("endpoints[0].weight", "1 to 1000000",
            [](Parts* parts) { parts->cluster.mutable_endpoints(0)->set_weight(0); });
  ExpectOne("endpoints[0].sni", "DNS names",
            [](Parts* parts) { parts->cluster.mutable_endpoints(0)->set_sni("10.0.0.1"); });
  ExpectOne("tls.ca_pem", "no certificate found",
            [](Parts* parts) { parts->cluster.mutable_tls()->set_ca_pem("x"); });
  ExpectOne("tls.client_certificate", "does not exist", [](Parts* parts) {
    parts->cluster.mutable_tls()->set_client_certificate("elsewhere");
  });
  ExpectOne("timeouts.connect_ms", "a day",
            [](Parts* parts) { parts->cluster.mutable_timeouts()->set_connect_ms(100'000'000); });
  ExpectOne("keep_alive.connections", "out of range",
            [](Parts* parts) { parts->cluster.mutable_keep_alive()->set_connections(1'000'000); });
  ExpectOne("panic_threshold_percent", "0 to 100",
            [](Parts* parts) { parts->cluster.set_panic_threshold_percent(101); });
}

TEST(ValidateTest, HealthChecks) {
  const auto check = [](Parts* parts) { return parts->cluster.mutable_health_check(); };
  ExpectOne("health_check.interval_ms", "out of range",
            [&](Parts* parts) { check(parts)->set_interval_ms(0); });
  ExpectOne("health_check.timeout_ms", "out of range",
            [&](Parts* parts) { check(parts)->set_timeout_ms(0); });
  ExpectOne("health_check.healthy_after", "out of range",
            [&](Parts* parts) { check(parts)->set_healthy_after(0); });
  ExpectOne("health_check.unhealthy_after", "out of range",
            [&](Parts* parts) { check(parts)->set_unhealthy_after(0); });
  ExpectOne("health_check.warm_up_ms", "0 to 5000",
            [&](Parts* parts) { check(parts)->set_warm_up_ms(5001); });
  ExpectOne("health_check.http_path", "must begin with '/'",
            [&](Parts* parts) { check(parts)->set_http_path("health"); });
  ExpectOne("health_check.http_host", "not a host name",
            [&](Parts* parts) { check(parts)->set_http_host("a b"); });
  ExpectOne("health_check.expected_statuses[0]", "200 to 599",
            [&](Parts* parts) { check(parts)->set_expected_statuses(0, 42); });
  ExpectOne("health_check.schema", "tcp, http or grpc", [&](Parts* parts) {
    check(parts)->set_schema(static_cast<v1::HealthCheck::Schema>(9));
  });
  EXPECT_THAT(ErrorsAfter([&](Parts* parts) {
                check(parts)->set_schema(v1::HealthCheck::TCP);
                check(parts)->clear_http_path();
              }),
              IsEmpty());
}

TEST(ValidateTest, Certificates) {
  ExpectOne("chain_pem", "no certificate found",
            [](Parts* parts) { parts->certificate.set_chain_pem(""); });
  ExpectOne("key_pem", "does not belong",
            [](Parts* parts) { parts->certificate.set_key_pem(MakeSelfSigned().key_pem); });
  ExpectOne("key_pem", "no private key", [](Parts* parts) { parts->certificate.clear_key_pem(); });
  ExpectOne("ocsp_der", "no OCSP response",
            [](Parts* parts) { parts->certificate.set_ocsp_der("x"); });
}

// Private keys must not leak through messages.
TEST(ValidateTest, ErrorsDoNotQuoteKeys) {
  const auto errors =
      ErrorsAfter([](Parts* parts) { parts->certificate.set_key_pem("SECRET-KEY-BYTES"); });
  ASSERT_FALSE(errors.empty());
  for (const std::string& error : errors) EXPECT_THAT(error, testing::Not(HasSubstr("SECRET")));
}

}  // namespace
}  // namespace sluice::config
