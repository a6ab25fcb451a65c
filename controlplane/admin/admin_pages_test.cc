#include "controlplane/admin/admin_pages.h"

#include <gmock/gmock.h>

#include "common/base/testing_reference.h"
#include "common/config/testing_certificates.h"
#include "controlplane/admin/metrics_table.h"
#include "controlplane/apply/testing_setup.h"
#include "controlplane/publish/testing_resources.h"

namespace sluice::admin {
namespace {

using apply::testing::ControllerSetup;
using ::testing::HasSubstr;

class AdminPagesTest : public ::testing::Test {
 protected:
  web::HttpResponse Get(std::string_view target, std::string_view method = "GET") {
    return pages_.Answer({.method = method, .target = target});
  }

  ControllerSetup setup_;
  const AdminPages pages_{setup_.controller(), setup_.hub(), setup_.store(), setup_.guard()};
};

TEST_F(AdminPagesTest, EveryPageAnswers) {
  EXPECT_EQ(Get("/healthz").status, 200u);
  EXPECT_EQ(Get("/readyz?x=1").status, 200u);
  EXPECT_THAT(Get("/").body, HasSubstr("/metrics"));
  EXPECT_EQ(Get("/nothing").status, 404u);
  EXPECT_EQ(Get("/healthz", "POST").status, 405u);
  EXPECT_EQ(Get("/healthz", "POST").allow, "GET");
}

TEST_F(AdminPagesTest, IsNotReadyWhenItEnds) {
  setup_.hub().Shutdown(1);
  EXPECT_EQ(Get("/readyz").status, 503u);
  EXPECT_EQ(Get("/healthz").status, 200u);
}

TEST_F(AdminPagesTest, MetricsTellWhatHappened) {
  const auto node = setup_.Connect({});
  setup_.Apply("one");
  setup_.Apply("one");
  const std::string text = Get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("\nsluice_controller_version_revision 1\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_controller_versions 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_controller_changes_total{outcome=\"done\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_controller_changes_total{outcome=\"unchanged\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_controller_nodes{state=\"synced\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_controller_streams 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_controller_rollout_seconds_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_controller_rollout_seconds_count 1\n"));
}

TEST_F(AdminPagesTest, ANodeOfAWaveIsSyncedWhenItHasTheCandidate) {
  const auto first = setup_.Connect({.id = "n1"}), second = setup_.Connect({.id = "n2"});
  setup_.Apply("one");
  setup_.hub().StartRollout(publish::testing::RequestOf(2, "two"));
  ASSERT_TRUE(setup_.hub().WaitPrepared(publish::testing::kDeadline));
  ASSERT_TRUE(setup_.hub().ReleaseTo({"n1"}));
  EXPECT_TRUE(setup_.WaitFor([this] {
    return Get("/metrics").body.find("sluice_controller_nodes{state=\"synced\"} 2\n") !=
           std::string::npos;
  }));
  EXPECT_EQ(first->version().revision(), 2u);
  EXPECT_EQ(second->version().revision(), 1u);
}

// A service with a certificate that expires at 4'000'000'000.
v1::Document WithCertificate() {
  const auto pair = config::testing_certificates::MakeSelfSigned();
  v1::Document document = apply::testing::DocumentOf(
      "services:\n  - {name: web, bind_address: '127.0.0.1:18443',\n"
      "     tls: {cert_path: site.pem, key_path: site.key},\n"
      "     routes: [{name: all, respond: {status: 200}}]}\n");
  for (const auto& [path, content] :
       {std::pair("site.pem", pair.chain_pem), std::pair("site.key", pair.key_pem)}) {
    v1::SourceFile& file = *document.add_referenced();
    file.set_path(path);
    file.set_content(content);
  }
  return document;
}

TEST_F(AdminPagesTest, CertificatesOfTheCurrentVersionTellWhenTheyExpire) {
  const std::string series = "sluice_controller_certificate_not_after_seconds{certificate=\"";
  EXPECT_THAT(Get("/metrics").body, ::testing::Not(HasSubstr(series)));
  ASSERT_EQ(setup_.Apply(WithCertificate(), ControllerSetup::FromApi()).outcome(),
            v1::ApplyProgress::DONE);
  EXPECT_THAT(Get("/metrics").body, HasSubstr(series + "site.pem\"} 4000000000\n"));
  setup_.Apply("without");
  EXPECT_THAT(Get("/metrics").body, ::testing::Not(HasSubstr(series)));
}

TEST_F(AdminPagesTest, EveryMetricOfTheTableIsExposedAndDocumented) {
  setup_.Apply(WithCertificate(), ControllerSetup::FromApi());
  const std::string text = Get("/metrics").body;
  const std::string table = MetricsReference();
  for (const Metric& metric : Metrics()) {
    const std::string name(metric.name);
    // Without webhooks there is no value that could carry the name of one.
    const std::string value = metric.labels == "webhook" ? "" : name;
    EXPECT_THAT(text, HasSubstr("# TYPE " + name + " " + std::string(metric.type) + "\n" + value));
    EXPECT_THAT(table, HasSubstr("| `" + name + "` |"));
  }
}

TEST(ReferenceTest, ControllerMetricsAreCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/controller-metrics.md",
                                                MetricsReference()));
}

}  // namespace
}  // namespace sluice::admin
