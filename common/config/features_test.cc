#include "common/config/features.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "common/snapshot/snapshot.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename Message>
std::vector<std::string> Of(v1::ResourceKind kind, const Message& message) {
  std::vector<std::string> names;
  for (const FeatureUse& use : FeaturesOf(*snapshot::MakeResource(kind, "r", message))) {
    EXPECT_NE(use.field, "");
    names.emplace_back(use.feature);
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(FeaturesTest, WhatEveryReleaseCanNeedsNothing) {
  v1::Cluster cluster;
  cluster.add_endpoints()->set_address("10.0.0.1:80");
  cluster.mutable_health_check()->set_schema(v1::HealthCheck::HTTP);
  cluster.mutable_circuit_breaker()->set_retry_budget_percent(20);
  EXPECT_THAT(Of(v1::RESOURCE_KIND_CLUSTER, cluster), IsEmpty());
  v1::Listener listener;
  listener.mutable_tls()->set_enabled(true);
  EXPECT_THAT(Of(v1::RESOURCE_KIND_LISTENER, listener), IsEmpty());
  EXPECT_THAT(Of(v1::RESOURCE_KIND_SETTINGS, v1::Settings()), IsEmpty());
  EXPECT_THAT(Of(v1::RESOURCE_KIND_CERTIFICATE, v1::Certificate()), IsEmpty());
}

TEST(FeaturesTest, EveryUseIsSeen) {
  v1::Cluster cluster;
  cluster.set_protocol(v1::UPSTREAM_PROTOCOL_AUTO);
  cluster.set_proxy_protocol(v1::PROXY_PROTOCOL_V2);
  cluster.mutable_circuit_breaker()->set_endpoint_requests(1);
  cluster.mutable_circuit_breaker()->set_endpoint_connections(1);
  cluster.set_slow_start_ms(1);
  cluster.mutable_outlier_detection();
  cluster.mutable_health_check()->set_schema(v1::HealthCheck::GRPC);
  cluster.mutable_health_check()->set_warm_up_ms(1);
  EXPECT_THAT(
      Of(v1::RESOURCE_KIND_CLUSTER, cluster),
      ElementsAre("circuit_breaker", "connection_limits", "grpc_health_check", "http2_upstream",
                  "outlier_detection", "proxy_protocol_upstream", "slow_start", "warm_up"));
  v1::Listener listener;
  listener.set_protocol(v1::LISTENER_PROTOCOL_TCP);
  listener.mutable_proxy_protocol();
  listener.mutable_tls()->mutable_client_auth();
  EXPECT_THAT(Of(v1::RESOURCE_KIND_LISTENER, listener),
              ElementsAre("client_auth", "proxy_protocol", "tcp_services"));
  v1::Settings settings;
  settings.mutable_limits()->set_connections(1);
  EXPECT_THAT(Of(v1::RESOURCE_KIND_SETTINGS, settings), ElementsAre("process_limits"));
  v1::Certificate certificate;
  certificate.set_ocsp_der("x");
  EXPECT_THAT(Of(v1::RESOURCE_KIND_CERTIFICATE, certificate), ElementsAre("ocsp_stapling"));
}

TEST(FeaturesTest, WhatIsOfTheProtocolNoSnapshotAsksFor) {
  EXPECT_TRUE(IsOfProtocol("preflight"));
  for (const std::string_view feature : KnownFeatures()) {
    EXPECT_NE(IsOfProtocol(feature), IsAssumed(feature)) << feature;
  }
  EXPECT_FALSE(IsOfProtocol("telepathy"));
  EXPECT_FALSE(IsAssumed("telepathy"));
}

TEST(FeaturesTest, OfRoutesTheFirstUseIsNamed) {
  v1::RouteTable table;
  table.add_routes()->mutable_respond();
  for (int i = 0; i < 2; ++i) {
    v1::RetryPolicy& retry = *table.add_routes()->mutable_forward()->mutable_retry();
    retry.set_hedge_after_ms(5);
    retry.add_on("5xx");
  }
  const auto uses = FeaturesOf(*snapshot::MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, "t", table));
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].feature, "hedging");
  EXPECT_EQ(uses[0].field, "routes[1].forward.retry.hedge_after_ms");
  EXPECT_EQ(uses[1].feature, "retry_policy");
}

TEST(FeaturesTest, WhatCannotBeParsedUsesNothing) {
  v1::Resource resource;
  resource.set_kind(v1::RESOURCE_KIND_CLUSTER);
  resource.set_body("\xff\xff");
  EXPECT_THAT(FeaturesOf(resource), IsEmpty());
  resource.set_kind(v1::RESOURCE_KIND_UNSPECIFIED);
  EXPECT_THAT(FeaturesOf(resource), IsEmpty());
}

}  // namespace
}  // namespace sluice::config
