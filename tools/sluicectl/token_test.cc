#include <gtest/gtest.h>

#include <functional>

#include "sluice/v1/token_service.grpc.pb.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

class FakeTokens final : public v1::TokenService::Service {
 public:
  FakeTokens() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeTokens() override { server_->Shutdown(std::chrono::system_clock::now()); }

  RunResult Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(),
                     {"--controller", "127.0.0.1:" + std::to_string(port_), "--insecure"});
    return RunLine(arguments);
  }

  v1::CreateTokenRequest created;
  std::string revoked;

 private:
  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override {
    created = *request;
    response->set_token("sluice-join-1.a.b.c");
    return grpc::Status::OK;
  }
  grpc::Status ListTokens(grpc::ServerContext*, const v1::ListTokensRequest*,
                          v1::ListTokensResponse* response) override {
    v1::Token& token = *response->add_tokens();
    token.set_id("0123456789ab");
    token.set_node_id("edge-1");
    token.set_state("used");
    token.set_used_by("edge-1");
    token.set_used_unix_ms(kTestNowMs);
    token.set_expires_unix_ms(kTestNowMs + 1000);
    return grpc::Status::OK;
  }
  grpc::Status RevokeToken(grpc::ServerContext*, const v1::RevokeTokenRequest* request,
                           v1::RevokeTokenResponse*) override {
    if (request->id() != "0123456789ab") return {grpc::StatusCode::NOT_FOUND, "no such token"};
    revoked = request->id();
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(TokenTest, TheTokenAloneIsPrinted) {
  FakeTokens controller;
  const RunResult result = controller.Run({"token", "create", "--ttl", "2d", "--node-id", "edge-1",
                                           "--label", "zone=a", "--label", "rack=b=c"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(result.out, "sluice-join-1.a.b.c\n");
  EXPECT_EQ(controller.created.ttl_seconds(), 172'800u);
  EXPECT_EQ(controller.created.node_id(), "edge-1");
  EXPECT_EQ(controller.created.labels().at("rack"), "b=c");
  EXPECT_EQ(controller.created.name(), "");
  EXPECT_EQ(controller.Run({"token", "create", "--role", "viewer"}).code, ExitCode::kDone);
  EXPECT_EQ(controller.created.role(), "viewer");
  EXPECT_EQ(controller.created.name(), DefaultAuthor());
}

TEST(TokenTest, WhatMakesNoSenseIsSaidBeforeAnybodyIsAsked) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"token", "create", "--ttl", "5"},
                                             {"token", "create", "--ttl", "-1h"},
                                             {"token", "create", "--ttl", "d"},
                                             {"token", "create", "--label", "zone"},
                                             {"token", "create", "--role", "root"},
                                             {"token", "revoke"},
                                             {"token"}}) {
    EXPECT_EQ(RunLine(arguments).code, ExitCode::kUsage);
  }
}

TEST(TokenTest, ListsAndRevokes) {
  FakeTokens controller;
  EXPECT_EQ(
      controller.Run({"token", "list"}).out,
      "ID             FOR              STATE   EXPIRES                   USED                  "
      "    USED BY\n"
      "0123456789ab   join as edge-1   used    2023-11-14 22:13:21 UTC   2023-11-14 22:13:20 "
      "UTC   edge-1\n");
  EXPECT_EQ(controller.Run({"token", "revoke", "0123456789ab"}).code, ExitCode::kDone);
  EXPECT_EQ(controller.revoked, "0123456789ab");
  EXPECT_EQ(controller.Run({"token", "revoke", "x"}).code, ExitCode::kFailed);
}

TEST(CredentialsTest, TheControllersOwnOperatorIsTheLastResort) {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path() + "/operator");
  folder.Write(
      "operator/context.yaml",
      "controller: '127.0.0.1:1'\ntls_ca: 'ca.crt'\ntls_cert: 'o.pem'\ntls_key: 'o.pem'\n");
  ::setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
  ::setenv("SLUICE_CONTROLLER_DATA_DIR", folder.path().c_str(), 1);
  GlobalOptions none;
  ASSERT_TRUE(ApplyContext(&none).ok());
  EXPECT_EQ(none.controller, "127.0.0.1:1");
  EXPECT_EQ(none.tls_cert, folder.path() + "/operator/o.pem");
  GlobalOptions insecure{.insecure = true};
  ASSERT_TRUE(ApplyContext(&insecure).ok());
  EXPECT_EQ(insecure.controller, kDefaultController);
  EXPECT_EQ(insecure.tls_cert, "");
  GlobalOptions token{.token_file = "t"};
  ASSERT_TRUE(ApplyContext(&token).ok());
  EXPECT_EQ(token.tls_ca, "");
  ::setenv("SLUICE_CONTROLLER_DATA_DIR", "/nonexistent", 1);
}

// Whoever can make files where sluicectl is called must not choose the controller that it calls.
TEST(CredentialsTest, OneThatNobodyNamedMustBeOurOwn) {
  const TestFolder folder;
  const std::string operators = folder.path() + "/data/controller/operator";
  std::filesystem::create_directories(operators);
  const std::string context =
      folder.Write("data/controller/operator/context.yaml", "controller: '127.0.0.1:1'\n");
  ::setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
  ::unsetenv("SLUICE_CONTROLLER_DATA_DIR");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto controller = [] {
    GlobalOptions options;
    EXPECT_TRUE(ApplyContext(&options).ok());
    return options.controller;
  };
  using std::filesystem::perms;
  std::filesystem::permissions(operators, perms::owner_all);
  std::filesystem::permissions(context, perms::owner_read | perms::owner_write);
  EXPECT_EQ(controller(), "127.0.0.1:1");
  std::filesystem::permissions(operators, perms::owner_all | perms::others_write);
  EXPECT_EQ(controller(), kDefaultController);
  std::filesystem::permissions(operators, perms::owner_all);
  std::filesystem::permissions(context, perms::owner_read | perms::group_write);
  EXPECT_EQ(controller(), kDefaultController);
  std::filesystem::current_path(before);
  ::setenv("SLUICE_CONTROLLER_DATA_DIR", "/nonexistent", 1);
}

TEST(CredentialsTest, ATokenNeedsACaAndIsWhole) {
  const TestFolder folder;
  const std::string pem = folder.Write("ca.pem", "x");
  const RunResult alone = RunLine({"status", "--token-file", folder.Write("token", "t")});
  EXPECT_EQ(alone.code, ExitCode::kUsage);
  EXPECT_NE(alone.error.find("--token-file needs --tls-ca"), std::string::npos) << alone.error;
  const RunResult empty =
      RunLine({"status", "--tls-ca", pem, "--token-file", folder.Write("empty", " \n")});
  EXPECT_EQ(empty.code, ExitCode::kUsage);
  EXPECT_NE(empty.error.find("holds no token"), std::string::npos) << empty.error;
  EXPECT_EQ(RunLine({"status", "--insecure", "--token-file", pem}).code, ExitCode::kUsage);
}

}  // namespace
}  // namespace sluice::sluicectl
