#include "dataplane/preflight/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <set>

#include "common/snapshot/snapshot.h"
#include "dataplane/preflight/shadow.h"
#include "dataplane/runtime/runtime_builder.h"

namespace sluice::preflight {
namespace {

using Change = v1::PreflightChange;
using ::testing::ElementsAre;

constexpr char kAddress[] = "127.0.0.1:8000";

// A snapshot of one service, compiled as the proxy does it.
class Snapshot {
 public:
  Snapshot() {
    routes_.set_service("web");
    listener_.set_name("web");
    listener_.set_address(kAddress);
  }

  v1::Route& Route(const std::string& name, const std::string& prefix) {
    v1::Route& route = *routes_.add_routes();
    route.set_name(name);
    route.set_path_prefix(prefix);
    return route;
  }
  v1::Route& Forward(const std::string& name, const std::string& prefix,
                     const std::string& upstream) {
    v1::Route& route = Route(name, prefix);
    AddUpstream(route, upstream, 1);
    return route;
  }
  void AddUpstream(v1::Route& route, const std::string& upstream, uint32_t weight) {
    v1::WeightedCluster& cluster = *route.mutable_forward()->add_clusters();
    cluster.set_cluster(upstream);
    cluster.set_weight(weight);
    upstreams_.insert(upstream);
  }
  v1::Listener& listener() { return listener_; }

  const runtime::RuntimeConfig& Compile() {
    snapshot::Resources resources = {
        snapshot::MakeResource(v1::RESOURCE_KIND_SETTINGS, "settings", v1::Settings()),
        snapshot::MakeResource(v1::RESOURCE_KIND_LISTENER, "web", listener_),
        snapshot::MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, "web", routes_)};
    for (const std::string& name : upstreams_) {
      v1::Cluster cluster;
      cluster.set_name(name);
      cluster.add_endpoints()->set_address("127.0.0.1:9000");
      cluster.mutable_endpoints(0)->set_weight(1);
      resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, name, cluster));
    }
    EXPECT_TRUE(snapshot::SortAndCheck(&resources).ok());
    config::ParsedSnapshot parsed;
    std::vector<v1::ResourceError> errors = config::ParseAndValidate(resources, &parsed);
    if (errors.empty()) {
      const runtime::BuildContext build{.registry = registry_,
                                        .health = health_,
                                        .outliers = outliers_,
                                        .ticket_keys = keys_,
                                        .previous = nullptr};
      config_ = runtime::BuildRuntime(build, parsed, {}, &errors);
    }
    EXPECT_EQ(errors.size(), 0u) << errors.front().ShortDebugString();
    return *config_;
  }

 private:
  boost::asio::io_context context_;
  observe::Registry registry_;
  upstream::HealthMonitor health_{context_, {}};
  upstream::OutlierMonitor outliers_{context_, {}};
  tls::TicketKeys keys_;
  v1::RouteTable routes_;
  v1::Listener listener_;
  std::set<std::string> upstreams_;
  std::shared_ptr<const runtime::RuntimeConfig> config_;
};

class ComparisonTest : public ::testing::Test {
 protected:
  // The kind, and what is said of it.
  std::pair<Change::Kind, std::string> Of(const SampledRequest& request) {
    const runtime::RuntimeConfig& now = now_.Compile();
    const runtime::RuntimeConfig& then = then_.Compile();
    const Treatment before = Treat(now, now.services.front().get(), request);
    const Treatment after = Treat(then, then.services.front().get(), request);
    const Change::Kind kind = Compare(before, after, request);
    return {kind, kind == Change::NONE ? "" : DescribeTarget(kind, before, after, request)};
  }
  std::pair<Change::Kind, std::string> Of(const std::string& path) {
    return Of(SampledRequest{.method = "GET", .host = "a.test", .path = path});
  }
  using Is = std::pair<Change::Kind, std::string>;

  Snapshot now_, then_;
};

TEST_F(ComparisonTest, TheSameIsNoChange) {
  for (Snapshot* snapshot : {&now_, &then_}) {
    snapshot->Forward("api", "/api", "shop");
    snapshot->Route("gone", "/gone").mutable_respond()->set_status(410);
  }
  EXPECT_EQ(Of("/api/x"), Is(Change::NONE, ""));
  EXPECT_EQ(Of("/gone"), Is(Change::NONE, ""));
  EXPECT_EQ(Of("/nowhere"), Is(Change::NONE, "")) << "404 now and then";
}

TEST_F(ComparisonTest, WhatMatchesNothingAnyMoreAndWhatMatchesNow) {
  now_.Forward("old", "/old", "shop");
  then_.Forward("new", "/new", "shop");
  EXPECT_EQ(Of("/old"), Is(Change::UNMATCHED, "404"));
  EXPECT_EQ(Of("/new"), Is(Change::MATCHED, "shop by route new"));
}

TEST_F(ComparisonTest, AnotherUpstreamWhateverTheRouteIsCalled) {
  now_.Forward("api", "/", "shop");
  then_.Forward("all", "/", "shop-v2");
  EXPECT_EQ(Of("/x"), Is(Change::OTHER_UPSTREAM, "shop-v2 by route all"));
}

TEST_F(ComparisonTest, WeightsAndOrderAreNoOtherUpstreamButAnAdditionalOneIs) {
  v1::Route& now = now_.Forward("api", "/", "a");
  now_.AddUpstream(now, "b", 3);
  v1::Route& then = then_.Forward("api", "/", "b");
  then_.AddUpstream(then, "a", 9);
  then_.AddUpstream(then, "off", 0);
  EXPECT_EQ(Of("/x").first, Change::NONE);
  then_.AddUpstream(then, "c", 1);
  EXPECT_EQ(Of("/x"), Is(Change::OTHER_UPSTREAM, "b, a, c by route api"));
}

TEST_F(ComparisonTest, AnotherRouteToTheSameEnd) {
  now_.Forward("api", "/", "shop");
  then_.Forward("all", "/", "shop");
  EXPECT_EQ(Of("/x"), Is(Change::OTHER_ROUTE, "route all"));
}

TEST_F(ComparisonTest, TheUpstreamWouldBeAskedForAnotherPathOrHost) {
  now_.Forward("api", "/api", "shop");
  v1::Route& then = then_.Forward("api", "/api", "shop");
  then.mutable_forward()->set_strip_prefix("/api");
  then.mutable_forward()->set_host_rewrite("b.test");
  EXPECT_EQ(Of("/api/x"), Is(Change::OTHER_REQUEST, "route api: path without /api, host b.test"));
}

TEST_F(ComparisonTest, AnswersOfTheProxyItself) {
  now_.Forward("all", "/", "shop");
  then_.Route("fine", "/ok").mutable_respond()->set_status(200);
  then_.Route("never", "/no").mutable_respond()->set_status(403);
  v1::Redirect& redirect = *then_.Route("moved", "/moved").mutable_redirect();
  redirect.set_status(301);
  redirect.set_scheme("https");
  redirect.set_host("b.test");
  EXPECT_EQ(Of("/ok"), Is(Change::ANSWERED, "200 by route fine"));
  EXPECT_EQ(Of("/no"), Is(Change::REFUSED, "403"));
  EXPECT_EQ(Of("/moved"), Is(Change::REDIRECTED, "301 https://b.test by route moved"));
}

TEST_F(ComparisonTest, AnEncodedSlashThatIsRefused) {
  v1::Route& now = now_.Forward("api", "/", "shop");
  now.mutable_forward()->set_keep_encoded_slashes(true);
  then_.Forward("api", "/", "shop");
  SampledRequest request{
      .method = "GET", .host = "a.test", .path = "/a%2Fb", .encoded_slash = true};
  EXPECT_EQ(Of(request), Is(Change::REFUSED, "400, an encoded slash in the path"));
  request.encoded_slash = false;
  EXPECT_EQ(Of(request).first, Change::NONE);
}

TEST_F(ComparisonTest, AnotherProtocolAtTheAddress) {
  now_.Forward("api", "/", "shop");
  then_.listener().set_protocol(v1::LISTENER_PROTOCOL_TCP);
  then_.Forward("tcp", "", "shop");
  EXPECT_EQ(Of("/x"), Is(Change::REFUSED, "the service passes on TCP"));
}

TEST_F(ComparisonTest, AShadowFindsTheServiceByItsAddressAndAddsUp) {
  now_.Forward("api", "/api", "shop");
  now_.Forward("old", "/old", "shop");
  then_.Forward("api", "/api", "shop");
  const runtime::RuntimeConfig& now = now_.Compile();
  Shadow shadow(then_.Compile(), 100);
  const auto look = [&](std::string_view path) {
    const SampledRequest request{.method = "GET", .host = "a.test", .path = path};
    shadow.Look(Treat(now, now.services.front().get(), request), request);
  };
  for (int i = 0; i < 9; ++i) look("/api/x");
  look("/old/\x01");
  const v1::PreflightReport report = shadow.ToReport();
  EXPECT_EQ(report.requests(), 10u);
  EXPECT_EQ(report.changed(), 1u);
  ASSERT_EQ(report.changes_size(), 1);
  EXPECT_EQ(report.changes(0).service(), "web");
  EXPECT_EQ(report.changes(0).route(), "old");
  EXPECT_THAT(report.changes(0).examples(), ElementsAre("GET a.test/old/?"));
}

TEST_F(ComparisonTest, AServiceThatGoesRefusesAll) {
  now_.Forward("api", "/", "shop");
  then_.Forward("api", "/", "shop");
  then_.listener().set_address("127.0.0.1:8001");
  const runtime::RuntimeConfig& now = now_.Compile();
  Shadow shadow(then_.Compile(), 100);
  const SampledRequest request{.method = "GET", .host = "a.test", .path = "/"};
  shadow.Look(Treat(now, now.services.front().get(), request), request);
  const v1::PreflightReport report = shadow.ToReport();
  EXPECT_EQ(report.changes(0).kind(), Change::REFUSED);
  EXPECT_EQ(report.changes(0).target(), "nothing listens on 127.0.0.1:8000");
}

TEST_F(ComparisonTest, OnlyAShareIsLookedAt) {
  then_.Forward("api", "/", "shop");
  const Shadow all(then_.Compile(), 100), some(then_.Compile(), 10);
  base::Random random(1);
  int wanted = 0;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(all.Wants(random));
    wanted += some.Wants(random);
  }
  EXPECT_GT(wanted, 800);
  EXPECT_LT(wanted, 1200);
}

}  // namespace
}  // namespace sluice::preflight
