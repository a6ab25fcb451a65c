// Against gRPC's own server and its health service.
#include "dataplane/upstream/h2_probe.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>

#include "dataplane/upstream/health_probe.h"
#include "sluice/v1/admin_service.grpc.pb.h"

namespace sluice::upstream {
namespace {

class H2ProbeTest : public testing::Test {
 protected:
  struct Result {
    bool passed;
    std::string reason;
  };

  void SetUp() override {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    target_.address = "127.0.0.1:" + std::to_string(port);
    target_.timeout = std::chrono::seconds(20);
    target_.schema = ProbeSchema::kGrpc;
    target_.http_host = "a.test";
  }
  void TearDown() override { server_->Shutdown(); }

  Result Probe() {
    std::optional<Result> result;
    const auto probe =
        HealthProbe::Start(context_, target_, [&result](bool passed, const std::string& reason) {
          result = Result{passed, reason};
        });
    while (!result.has_value()) {
      context_.run_one();
      context_.restart();
    }
    return *result;
  }

  boost::asio::io_context context_;
  v1::AdminService::Service service_;  // Any: a server without one does not start.
  std::unique_ptr<grpc::Server> server_;
  ProbeTarget target_;
};

TEST_F(H2ProbeTest, AServerThatServes) {
  const Result result = Probe();
  EXPECT_TRUE(result.passed) << result.reason;
  EXPECT_EQ(result.reason, "grpc: SERVING");
}

TEST_F(H2ProbeTest, OneOfItsServicesDoesNot) {
  server_->GetHealthCheckService()->SetServingStatus("shop.v1.Orders", false);
  server_->GetHealthCheckService()->SetServingStatus("shop.v1.Carts", true);
  target_.grpc_service = "shop.v1.Orders";
  EXPECT_FALSE(Probe().passed);
  EXPECT_EQ(Probe().reason, "grpc: NOT_SERVING");
  target_.grpc_service = "shop.v1.Carts";
  EXPECT_TRUE(Probe().passed);
}

TEST_F(H2ProbeTest, AServiceItDoesNotKnow) {
  target_.grpc_service = "shop.v1.Unknown";
  const Result result = Probe();
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.reason, "grpc: code 5 service name unknown");
}

TEST_F(H2ProbeTest, ByHttpTheStatusDecides) {
  target_.schema = ProbeSchema::kHttp2;
  target_.http_path = "/nothing";
  EXPECT_TRUE(Probe().passed);
  target_.expected_statuses = {204};
  EXPECT_FALSE(Probe().passed);
  EXPECT_EQ(Probe().reason, "status 200");
}

TEST_F(H2ProbeTest, WhatSpeaksHttp1Fails) {
  H2Probe probe({.authority = "a.test", .path = "/"});
  EXPECT_TRUE(probe.TakeOutput().starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_EQ(probe.Feed("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            H2Probe::State::kFailed);
}

TEST_F(H2ProbeTest, SplitAtEveryByteItIsTheSame) {
  H2Probe probe({.authority = "a.test", .path = "/"});
  // SETTINGS; then HEADERS with ":status: 204" (index 9 of the static table), END_STREAM.
  const std::string bytes("\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x89", 19);
  probe.TakeOutput();
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    ASSERT_EQ(probe.Feed(bytes.substr(i, 1)), H2Probe::State::kWaiting) << i;
  }
  ASSERT_EQ(probe.Feed(bytes.substr(bytes.size() - 1)), H2Probe::State::kAnswered);
  EXPECT_EQ(probe.status(), 204u);
}

}  // namespace
}  // namespace sluice::upstream
