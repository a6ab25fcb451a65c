#include "dataplane/control/admin_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/config/testing_certificates.h"
#include "dataplane/control/query.h"
#include "dataplane/control/testing.h"

namespace sluice::control {
namespace {

using nlohmann::json;
using testing::FakeDataplane;
using ::testing::HasSubstr;
using ::testing::Not;

class AdminPagesTest : public ::testing::Test {
 protected:
  AdminPagesTest() {
    dataplane_.clusters = {
        {{"name", "users"}, {"endpoints", {{{"address", "10.0.1.1:80"}, {"healthy", false}}}}}};
  }
  ~AdminPagesTest() override { EXPECT_TRUE(base::SetLogLevel("info").ok()); }

  web::HttpResponse Ask(std::string_view target, std::string_view method = "GET") {
    return pages_.Answer({.method = method, .target = target});
  }
  json Page(std::string_view target) {
    const web::HttpResponse answer = Ask(target);
    EXPECT_EQ(answer.status, 200u) << answer.body;
    EXPECT_EQ(answer.content_type, "application/json");
    return json::parse(answer.body);
  }
  void Serve(const snapshot::Resources& resources, uint64_t revision = 3) {
    const v1::Version version = testing::VersionOf(resources, revision);
    ASSERT_TRUE(activator_.Prepare(resources, version).empty());
    ASSERT_TRUE(activator_.Commit(version, [] {}));
  }
  void ServeRoutes() {
    v1::RouteTable table;
    table.set_service("web");
    v1::Route* route = table.add_routes();
    route->set_name("users");
    route->set_path_prefix("/api/users");
    route->mutable_forward()->set_strip_prefix("/api/users");
    v1::WeightedCluster* cluster = route->mutable_forward()->add_clusters();
    cluster->set_cluster("users");
    cluster->set_weight(1);
    route = table.add_routes();
    route->set_name("site");
    route->set_host("www.a.test");
    route->mutable_respond()->set_status(204);
    snapshot::Resources resources = testing::SnapshotOf({}, table);
    v1::Cluster users;
    users.set_name("users");
    users.set_lb_strategy(v1::LB_STRATEGY_ROUND_ROBIN);
    users.add_endpoints()->set_address("10.0.1.1:80");
    users.mutable_endpoints(0)->set_weight(1);
    resources.push_back(snapshot::MakeResource(v1::RESOURCE_KIND_CLUSTER, "users", users));
    ASSERT_TRUE(snapshot::SortAndCheck(&resources).ok());
    Serve(resources);
  }

  FakeDataplane dataplane_;
  Activator activator_{dataplane_, nullptr, nullptr};
  AdminPages pages_{dataplane_, activator_, [] { return std::string("sluice_up 1\n"); }};
};

TEST_F(AdminPagesTest, ReadyOnlyWhenServingAndNotDraining) {
  EXPECT_EQ(Ask("/healthz").status, 200u);
  EXPECT_EQ(Ask("/readyz").status, 503u);
  Serve(testing::SnapshotWith("one"));
  EXPECT_EQ(Ask("/readyz").status, 200u);
  EXPECT_EQ(Ask("/drain", "POST").body, "draining\n");
  EXPECT_EQ(Ask("/readyz").status, 503u);
  EXPECT_EQ(Ask("/healthz").status, 200u);
  EXPECT_EQ(Ask("/undrain", "POST").body, "accepting\n");
  EXPECT_EQ(Ask("/readyz").status, 200u);
}

TEST_F(AdminPagesTest, UndrainThatFailsSaysSo) {
  ASSERT_EQ(Ask("/drain", "POST").status, 200u);
  dataplane_.undrain_fails = true;
  EXPECT_EQ(Ask("/undrain", "POST").status, 503u);
  v1::Command command;
  command.mutable_undrain();
  EXPECT_FALSE(pages_.Run(command).ok());
}

TEST_F(AdminPagesTest, WrongMethodsAndPathsSayWhatIsRight) {
  const web::HttpResponse drain = Ask("/drain");
  EXPECT_EQ(drain.status, 405u);
  EXPECT_EQ(drain.allow, "POST");
  EXPECT_FALSE(dataplane_.draining());
  const web::HttpResponse config = Ask("/config", "POST");
  EXPECT_EQ(config.status, 405u);
  EXPECT_EQ(config.allow, "GET");
  const web::HttpResponse missing = Ask("/cluster");
  EXPECT_EQ(missing.status, 404u);
  EXPECT_THAT(missing.body, HasSubstr("/clusters"));
  EXPECT_EQ(Ask("").status, 404u);
}

TEST_F(AdminPagesTest, IndexListsEveryPathAndEachIsAnswered) {
  const std::string index = Ask("/").body;
  for (const char* path : {"/healthz", "/readyz", "/config", "/clusters", "/listeners",
                           "/connections", "/stats", "/metrics", "/explain"}) {
    EXPECT_THAT(index, HasSubstr(path));
    EXPECT_NE(Ask(path).status, 404u) << path;
  }
  for (const char* path : {"/drain", "/undrain", "/log-level"}) {
    EXPECT_THAT(index, HasSubstr(path));
    EXPECT_NE(Ask(path, "POST").status, 404u) << path;
  }
}

TEST_F(AdminPagesTest, MetricsHaveTheTypeOfPrometheus) {
  for (const web::HttpResponse& answer :
       {Ask("/metrics"), pages_.AnswerMetrics({.method = "GET", .target = "/metrics?x"})}) {
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_EQ(answer.body, "sluice_up 1\n");
  }
  EXPECT_EQ(pages_.AnswerMetrics({.method = "GET", .target = "/config"}).status, 404u);
  EXPECT_EQ(pages_.AnswerMetrics({.method = "POST", .target = "/metrics"}).status, 405u);
}

TEST_F(AdminPagesTest, ConfigShowsKeysOnlyAsDigests) {
  const auto pair = config::testing_certificates::MakeSelfSigned();
  v1::Certificate certificate;
  certificate.set_name("/c.pem");
  certificate.set_chain_pem(pair.chain_pem);
  certificate.set_key_pem(pair.key_pem);
  snapshot::Resources resources = testing::SnapshotWith("one");
  resources.push_back(
      snapshot::MakeResource(v1::RESOURCE_KIND_CERTIFICATE, certificate.name(), certificate));
  Serve(resources);
  const std::string text = Ask("/config").body;
  EXPECT_THAT(text, Not(HasSubstr("PRIVATE")));
  // JSON escapes line ends, base64 has none: no line of the key may be in it.
  EXPECT_THAT(text, Not(HasSubstr(pair.key_pem.substr(pair.key_pem.find('\n') + 1, 40))));
  EXPECT_THAT(text, HasSubstr(base::HexEncode(base::Sha256(pair.key_pem))));
  const json page = json::parse(text);
  EXPECT_EQ(page["version"]["revision"], 3);
  EXPECT_EQ(page["resources"].size(), 4u);
  EXPECT_EQ(page["resources"][2]["body"]["service"], "web");
}

TEST_F(AdminPagesTest, PrettyIsForPeople) {
  EXPECT_EQ(Ask("/stats").body, "{\"requests_total\":7}\n");
  EXPECT_EQ(Ask("/stats?pretty").body, "{\n  \"requests_total\": 7\n}\n");
}

TEST_F(AdminPagesTest, LogLevelIsSetAndCheckedByName) {
  EXPECT_EQ(Ask("/log-level?level=debug", "POST").body, "debug\n");
  EXPECT_EQ(base::CurrentLogLevel(), "debug");
  EXPECT_EQ(Ask("/log-level?level=loud", "POST").status, 400u);
  EXPECT_EQ(Ask("/log-level", "POST").status, 400u);
  EXPECT_EQ(base::CurrentLogLevel(), "debug");
}

TEST_F(AdminPagesTest, ExplainNamesRoutePathAndEndpoints) {
  ServeRoutes();
  const json page = Page("/explain?url=http://b.test/api/users/7%3Fq=1");
  EXPECT_EQ(page["route"], "users");
  EXPECT_EQ(page["path_sent"], "/7");
  EXPECT_EQ(page["upstreams"][0]["upstream"], "users");
  EXPECT_EQ(page["upstreams"][0]["endpoints"][0]["healthy"], false);
}

TEST_F(AdminPagesTest, ExplainTellsWhyEarlierRoutesLost) {
  ServeRoutes();
  const json page = Page("/explain?url=http://x/y&header=HOST:+www.a.test:8000");
  EXPECT_EQ(page["route"], "site");
  EXPECT_EQ(page["status"], 204);
  ASSERT_EQ(page["candidates"].size(), 2u);
  EXPECT_EQ(page["candidates"][0]["route"], "users");
  EXPECT_EQ(page["candidates"][0]["matched"], false);
  EXPECT_NE(page["candidates"][0]["reason"], "");
}

TEST_F(AdminPagesTest, ExplainSaysWhatTheProxyWouldRefuse) {
  ServeRoutes();
  EXPECT_EQ(Page("/explain?url=http://x/nothing")["status"], 404);
  EXPECT_EQ(Page("/explain?url=http://x/..")["status"], 400);
  EXPECT_EQ(Page("/explain?url=http://x/api/users/a%252fb")["status"], 400);
  EXPECT_EQ(Page("/explain?url=http://x/y&header=host:")["status"], 404);
}

TEST_F(AdminPagesTest, ExplainRefusesWhatItCannotExplain) {
  EXPECT_EQ(Ask("/explain?url=http://x/").status, 400u) << "nothing is served";
  ServeRoutes();
  EXPECT_EQ(Ask("/explain").status, 400u);
  EXPECT_EQ(Ask("/explain?url=nonsense").status, 400u);
  EXPECT_EQ(Ask("/explain?url=http://x/&service=other").status, 400u);
}

TEST_F(AdminPagesTest, CommandsOfTheControllerDoTheSame) {
  ServeRoutes();
  v1::Command command;
  command.mutable_drain();
  EXPECT_EQ(pages_.Run(command).value(), "{\"draining\":true}");
  EXPECT_TRUE(dataplane_.draining());
  command.mutable_explain()->set_url("http://x/api/users");
  EXPECT_EQ(json::parse(pages_.Run(command).value())["route"], "users");
  command.mutable_dump()->set_what("config");
  EXPECT_EQ(json::parse(pages_.Run(command).value()), Page("/config"));
  command.mutable_dump()->set_what("secrets");
  EXPECT_FALSE(pages_.Run(command).ok());
  command.mutable_set_log_level()->set_level("warn");
  EXPECT_TRUE(pages_.Run(command).ok());
  EXPECT_EQ(base::CurrentLogLevel(), "warn");
  command.clear_command();
  EXPECT_FALSE(pages_.Run(command).ok());
}

TEST(QueryTest, DecodesValuesAndLeavesBrokenEscapes) {
  const QueryValues values = ParseQuery("a=1&b=x%20y+z&&c&=d&b=2&e=%zz%4&f=a=b");
  EXPECT_EQ(ValueOf(values, "a", ""), "1");
  EXPECT_EQ(ValueOf(values, "b", ""), "x y z");
  EXPECT_EQ(values.count("b"), 2u);
  EXPECT_TRUE(values.contains("c"));
  EXPECT_EQ(ValueOf(values, "c", "default"), "default");
  EXPECT_EQ(ValueOf(values, "e", ""), "%zz%4");
  EXPECT_EQ(ValueOf(values, "f", ""), "a=b");
}

}  // namespace
}  // namespace sluice::control
