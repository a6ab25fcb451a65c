// The document the product was specified with, as it stands, means what its comments say.
#include <gtest/gtest.h>

#include "controlplane/build/explain.h"
#include "controlplane/build/testing_documents.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::build {
namespace {

using testing_documents::Build;
using testing_documents::FileText;
using testing_documents::Get;
using testing_documents::LinesOf;

class SpecificationTest : public testing::Test {
 protected:
  SpecificationTest() {
    const auto pair = config::testing_certificates::MakeSelfSigned();
    document_ = testing_documents::DocumentOf(FileText("deploy/examples/specification.yaml"));
    testing_documents::SendAlong("/path/to/cert.pem", pair.chain_pem, &document_);
    testing_documents::SendAlong("/path/to/key.pem", pair.key_pem, &document_);
    result_ = Build(document_);
  }

  v1::ExplainResponse Ask(const std::string& url) {
    v1::ExplainRequest request;
    request.set_url(url);
    return Explain(result_.resources, request).value_or(v1::ExplainResponse());
  }

  v1::Document document_;
  BuildResult result_;
};

TEST_F(SpecificationTest, IsAcceptedWithoutAProblem) {
  EXPECT_EQ(LinesOf(result_), std::vector<std::string>());
  EXPECT_TRUE(result_.ok());
  EXPECT_EQ(result_.root.size(), 32u);
  // Settings, listener, route table, two clusters, certificate.
  EXPECT_EQ(result_.resources.size(), 6u);
}

TEST_F(SpecificationTest, SettingsApplyToEveryProxy) {
  const auto settings =
      Get<v1::Settings>(result_.resources, v1::RESOURCE_KIND_SETTINGS, "settings");
  EXPECT_EQ(settings.worker_threads(), 8u);
  EXPECT_EQ(settings.log_level(), "info");
  EXPECT_EQ(settings.log_format(), "json");
  EXPECT_EQ(settings.admin().address(), "127.0.0.1:6190");
  EXPECT_TRUE(settings.admin().enabled());
  EXPECT_EQ(settings.metrics().address(), "127.0.0.1:9090");
  EXPECT_TRUE(settings.metrics().enabled());
  EXPECT_TRUE(settings.access_log().enabled());
  EXPECT_EQ(settings.access_log().path(), "-");
  EXPECT_EQ(settings.access_log().format(), "json");
  EXPECT_EQ(settings.drain_timeout_ms(), 30'000u);
}

TEST_F(SpecificationTest, ServiceSpeaksTlsWithTheCertificateSentAlong) {
  const auto listener =
      Get<v1::Listener>(result_.resources, v1::RESOURCE_KIND_LISTENER, "api-gateway");
  EXPECT_EQ(listener.address(), "0.0.0.0:8000");
  EXPECT_TRUE(listener.tls().enabled());
  ASSERT_EQ(listener.tls().certificates_size(), 1);
  EXPECT_EQ(listener.tls().certificates(0), "/path/to/cert.pem");
  EXPECT_EQ(listener.tls().min_version(), "1.2");
  EXPECT_EQ(listener.timeouts().keep_alive_ms(), 75'000u);
  EXPECT_EQ(listener.limits().target_bytes(), 16'384u);
}

TEST_F(SpecificationTest, UpstreamsKeepStrategyChecksAndNodes) {
  const auto users =
      Get<v1::Cluster>(result_.resources, v1::RESOURCE_KIND_CLUSTER, "users-service");
  EXPECT_EQ(users.lb_strategy(), v1::LB_STRATEGY_ROUND_ROBIN);
  EXPECT_EQ(users.hash_on(), "client_ip");
  EXPECT_EQ(users.health_check().schema(), v1::HealthCheck::TCP);
  EXPECT_EQ(users.health_check().http_path(), "/health");
  EXPECT_EQ(users.health_check().interval_ms(), 5'000u);
  EXPECT_EQ(users.health_check().timeout_ms(), 2'000u);
  EXPECT_EQ(users.health_check().warm_up_ms(), 2'000u);
  ASSERT_EQ(users.endpoints_size(), 2);
  EXPECT_EQ(users.endpoints(0).address(), "10.0.1.1:8080");
  EXPECT_EQ(users.endpoints(0).sni(), "users.internal");
  EXPECT_EQ(users.endpoints(1).address(), "10.0.1.2:8080");
  EXPECT_EQ(users.endpoints(1).sni(), "");
  EXPECT_EQ(users.endpoints(1).weight(), 1u);
  EXPECT_FALSE(users.tls().skip_verify());
  const auto website =
      Get<v1::Cluster>(result_.resources, v1::RESOURCE_KIND_CLUSTER, "website-service");
  EXPECT_EQ(website.lb_strategy(), v1::LB_STRATEGY_RANDOM);
  EXPECT_FALSE(website.has_health_check());
  EXPECT_EQ(website.panic_threshold_percent(), 50u);
}

TEST_F(SpecificationTest, RoutesMatchInOrderAndStripThePrefix) {
  const v1::ExplainResponse users = Ask("https://any.test:8000/api/v1/users/123?full=1");
  EXPECT_EQ(users.service(), "api-gateway");
  EXPECT_EQ(users.route(), "users-service-route");
  EXPECT_EQ(users.path_sent(), "/123?full=1");
  EXPECT_EQ(users.status(), 0u);
  ASSERT_EQ(users.upstreams_size(), 1);
  EXPECT_EQ(users.upstreams(0).upstream(), "users-service");
  EXPECT_EQ(users.upstreams(0).share(), 1.0);
  EXPECT_EQ(users.upstreams(0).endpoints_size(), 2);

  EXPECT_EQ(Ask("https://www.example.com:8000/api/v1/users").route(), "users-service-route");
  EXPECT_EQ(Ask("https://WWW.Example.com:8000/api/v1/usersx").route(), "website-route");
  EXPECT_EQ(Ask("https://www.example.com:8000/").path_sent(), "/");
  EXPECT_EQ(Ask("https://other.test:8000/").status(), 404u);
}

TEST_F(SpecificationTest, SourcesPointIntoTheDocument) {
  const SourceMap sources = SourcesOf(document_);
  EXPECT_EQ(sources.at("listener/api-gateway"), "a.yaml:19:11");
  EXPECT_EQ(sources.at("listener/api-gateway#tls.certificates[0]"), "a.yaml:23:18");
  EXPECT_EQ(sources.at("route_table/api-gateway#routes[1].host"), "a.yaml:48:15");
  EXPECT_EQ(sources.at("cluster/users-service#endpoints[0].sni"), "a.yaml:43:22");
  std::vector<v1::ResourceError> errors(2);
  errors[0].mutable_resource()->set_kind(v1::RESOURCE_KIND_CLUSTER);
  errors[0].mutable_resource()->set_name("users-service");
  errors[0].set_field("endpoints[1].address.nothing[7]");
  errors[1].mutable_resource()->set_kind(v1::RESOURCE_KIND_LISTENER);
  errors[1].mutable_resource()->set_name("gone");
  AttachSources(sources, &errors);
  EXPECT_EQ(errors[0].source(), "a.yaml:44:23");
  EXPECT_EQ(errors[1].source(), "");
}

TEST_F(SpecificationTest, BuildsToTheSameRootEveryTime) {
  v1::Document document =
      testing_documents::DocumentOf(FileText("deploy/examples/specification.yaml"));
  for (const auto& resource : result_.resources) {
    if (resource->kind() != v1::RESOURCE_KIND_CERTIFICATE) continue;
    v1::Certificate certificate;
    certificate.ParseFromString(resource->body());
    testing_documents::SendAlong("/path/to/cert.pem", certificate.chain_pem(), &document);
    testing_documents::SendAlong("/path/to/key.pem", certificate.key_pem(), &document);
  }
  EXPECT_EQ(Build(document).root, result_.root);
}

}  // namespace
}  // namespace sluice::build
