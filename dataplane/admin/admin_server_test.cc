#include "dataplane/admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/address.h"
#include "common/web/testing_client.h"

namespace sluice::admin {
namespace {

using ::testing::HasSubstr;
using web::testing::Client;
using web::testing::Fetch;

// A port that was free on every address a moment ago. It is below the range the kernel takes the
// ports of outgoing connections from: none of another test's can be in the way of 0.0.0.0
// afterwards.
std::string FreeAddress(const std::string& host = "127.0.0.1") {
  constexpr int kFirst = 20'000, kCount = 10'000;
  static int next = getpid() * 97 % kCount;
  for (int tries = 0; tries < kCount; ++tries) {
    const std::string port = std::to_string(kFirst + next++ % kCount);
    const base::SocketAddress every = base::ResolveNumeric("0.0.0.0:" + port).value();
    const base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(fd.get(), every.get(), every.length) == 0) return host + ":" + port;
  }
  ADD_FAILURE() << "no port is free";
  return host + ":0";
}

std::string Port(const std::string& address) {
  return std::to_string(base::ParseHostPort(address).value().port);
}

v1::Settings SettingsWith(const std::string& admin, const std::string& metrics) {
  v1::Settings settings;
  settings.mutable_admin()->set_enabled(!admin.empty());
  settings.mutable_admin()->set_address(admin);
  settings.mutable_metrics()->set_enabled(!metrics.empty());
  settings.mutable_metrics()->set_address(metrics);
  return settings;
}

class AdminServerTest : public ::testing::Test {
 protected:
  ~AdminServerTest() override {
    control_.On([this] { server_.reset(); });
  }

  void Make(AdminServerOptions options) {
    control_.On([&] {
      const auto named = [](const std::string& name) {
        return [name](const web::HttpRequest& request) {
          web::HttpResponse answer;
          answer.body = name + " " + std::string(request.target);
          return answer;
        };
      };
      server_ = std::make_unique<AdminServer>(control_.context(), options, named("admin"),
                                              named("metrics"));
    });
  }
  std::optional<v1::ResourceError> Prepare(const v1::Settings& settings) {
    return control_.On([&] { return server_->Prepare(settings); });
  }
  void Commit() {
    const absl::Status status = control_.On([&] { return server_->Commit(); });
    EXPECT_TRUE(status.ok()) << status;
  }
  void Move(const v1::Settings& settings) {
    const auto error = Prepare(settings);
    ASSERT_FALSE(error.has_value()) << error->message();
    Commit();
  }

  web::testing::ControlThread control_;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, ServesAdminAndMetricsWhereTheSettingsSay) {
  Make({});
  const std::string admin = FreeAddress(), metrics = FreeAddress();
  Move(SettingsWith(admin, metrics));
  EXPECT_EQ(Fetch(admin, "/x").body, "admin /x");
  EXPECT_EQ(Fetch(metrics, "/metrics").body, "metrics /metrics");
  EXPECT_EQ(Fetch(metrics, "/drain", "POST").body, "metrics /drain") << "never the admin pages";
}

TEST_F(AdminServerTest, OneAddressServesBoth) {
  Make({});
  const std::string both = FreeAddress();
  Move(SettingsWith(both, both));
  EXPECT_EQ(Fetch(both, "/metrics?x").body, "metrics /metrics?x");
  EXPECT_EQ(Fetch(both, "/config").body, "admin /config");
}

TEST_F(AdminServerTest, NothingMovesBeforeCommit) {
  Make({});
  const std::string first = FreeAddress(), second = FreeAddress();
  Move(SettingsWith(first, ""));
  ASSERT_FALSE(Prepare(SettingsWith(second, "")).has_value());
  EXPECT_EQ(Fetch(first, "/x").body, "admin /x");
  EXPECT_EQ(Fetch(second, "/x").status, 503);
  Commit();
  EXPECT_EQ(Fetch(second, "/x").body, "admin /x");
  EXPECT_FALSE(Client(first).connected());
}

TEST_F(AdminServerTest, DiscardClosesWhatWasPrepared) {
  Make({});
  const std::string first = FreeAddress(), second = FreeAddress();
  Move(SettingsWith(first, ""));
  ASSERT_FALSE(Prepare(SettingsWith(second, "")).has_value());
  control_.On([this] { server_->Discard(); });
  EXPECT_FALSE(Client(second).connected());
  Commit();
  EXPECT_EQ(Fetch(first, "/x").body, "admin /x");
}

TEST_F(AdminServerTest, AddressInUseRejectsTheSettingsAndNamesTheField) {
  Make({});
  const std::string admin = FreeAddress();
  Move(SettingsWith(admin, ""));
  const web::HttpHandler nothing = [](const web::HttpRequest&) { return web::HttpResponse{}; };
  AdminServer other(control_.context(), {}, nothing, nothing);
  for (const auto& [settings, field] :
       {std::pair{SettingsWith(admin, ""), "admin.address"},
        std::pair{SettingsWith(FreeAddress(), admin), "metrics.address"}}) {
    const auto error = control_.On([&, &wanted = settings] { return other.Prepare(wanted); });
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->resource().kind(), v1::RESOURCE_KIND_SETTINGS);
    EXPECT_EQ(error->field(), field);
    EXPECT_THAT(error->message(), HasSubstr(admin));
  }
}

TEST_F(AdminServerTest, RolesOfAnAddressChangeWithoutClosingIt) {
  Make({});
  const std::string one = FreeAddress(), two = FreeAddress();
  Move(SettingsWith(one, two));
  Client client(one);
  client.Send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("admin /metrics"), HasSubstr("200"));
  Move(SettingsWith(one, one));
  EXPECT_FALSE(Client(two).connected());
  client.Send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("metrics /metrics"), HasSubstr("200"));
  Move(SettingsWith(two, one));
  EXPECT_EQ(Fetch(one, "/x").body, "metrics /x");
  EXPECT_EQ(Fetch(two, "/x").body, "admin /x");
}

TEST_F(AdminServerTest, MovesFromLoopbackToEveryAddressOfTheSamePort) {
  Make({});
  const std::string loopback = FreeAddress();
  const std::string every = "0.0.0.0:" + Port(loopback);
  Move(SettingsWith(loopback, ""));
  Move(SettingsWith(every, ""));
  EXPECT_EQ(Fetch(loopback, "/x").body, "admin /x");
  EXPECT_EQ(control_.On([this] { return server_->admin_bound(); }), every);
}

TEST_F(AdminServerTest, DisabledEndpointsAreClosed) {
  Make({});
  const std::string admin = FreeAddress();
  Move(SettingsWith(admin, ""));
  Move(SettingsWith("", ""));
  EXPECT_FALSE(Client(admin).connected());
}

TEST_F(AdminServerTest, FlagsWinAndServeBeforeAnySnapshot) {
  Make({.admin_address = "127.0.0.1:0", .bind_host = "127.0.0.9"});
  const absl::Status status = control_.On([this] { return server_->OpenFixed(); });
  ASSERT_TRUE(status.ok()) << status;
  const std::string bound = control_.On([this] { return server_->admin_bound(); });
  EXPECT_THAT(bound, HasSubstr("127.0.0.1:")) << "a flag's address is meant as it is";
  EXPECT_EQ(Fetch(bound, "/x").body, "admin /x");
  Move(SettingsWith(FreeAddress(), ""));
  EXPECT_EQ(control_.On([this] { return server_->admin_bound(); }), bound);
}

TEST_F(AdminServerTest, BindHostReplacesLoopbackAndWildcardOnly) {
  Make({.bind_host = "127.0.0.2"});
  const std::string port = Port(FreeAddress("127.0.0.2"));
  Move(SettingsWith("127.0.0.1:" + port, ""));
  EXPECT_EQ(Fetch("127.0.0.2:" + port, "/x").status, 200);
  Move(SettingsWith("0.0.0.0:" + port, ""));
  EXPECT_EQ(Fetch("127.0.0.2:" + port, "/x").status, 200);
  EXPECT_FALSE(Client("127.0.0.1:" + port).connected());
  Move(SettingsWith("127.0.0.3:" + port, ""));
  EXPECT_EQ(Fetch("127.0.0.3:" + port, "/x").status, 200);
}

TEST_F(AdminServerTest, NoAdminOpensNothing) {
  Make({.enabled = false, .admin_address = "127.0.0.1:0"});
  const std::string admin = FreeAddress();
  Move(SettingsWith(admin, admin));
  EXPECT_FALSE(Client(admin).connected());
  EXPECT_EQ(control_.On([this] { return server_->admin_bound(); }), "");
}

}  // namespace
}  // namespace sluice::admin
