#include "tools/sluicectl/fleet_watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>

#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

constexpr int kDeadlineMs = 30'000;

class FleetWatchTest : public ::testing::Test {
 protected:
  std::unique_ptr<FleetWatch> Start() {
    GlobalOptions options;
    options.controller = controller_.address();
    options.insecure = true;
    auto client = ControllerClient::Create(options);
    EXPECT_TRUE(client.ok());
    auto watch = FleetWatch::Start(*std::move(client));
    EXPECT_TRUE(watch.ok());
    return *std::move(watch);
  }

  static FleetWatch::News Await(FleetWatch& watch) {
    pollfd readable{watch.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&readable, 1, kDeadlineMs), 1);
    return watch.Take();
  }

  FakeController controller_;
  std::atomic<int> calls_ = 0;
};

TEST_F(FleetWatchTest, GoesOnAfterTheStreamHasEnded) {
  controller_.watch_status = [this](grpc::ServerContext*, const v1::GetStatusRequest&,
                                    grpc::ServerWriter<v1::FleetStatus>* writer) {
    v1::FleetStatus status;
    status.mutable_version()->set_revision(static_cast<uint64_t>(++calls_));
    writer->Write(status);
    return grpc::Status::OK;
  };
  const auto watch = Start();
  uint64_t revision = 0;
  bool ended = false;
  while (revision < 2 || !ended) {
    const FleetWatch::News news = Await(*watch);
    ASSERT_TRUE(news.refused.ok());
    if (news.status) revision = news.status->version().revision();
    ended |= news.disconnected.has_value();
  }
}

TEST_F(FleetWatchTest, WhoMayNotLookAsksOnce) {
  controller_.watch_status = [this](grpc::ServerContext*, const v1::GetStatusRequest&,
                                    grpc::ServerWriter<v1::FleetStatus>*) {
    ++calls_;
    return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "the token has been revoked");
  };
  const auto watch = Start();
  const FleetWatch::News news = Await(*watch);
  EXPECT_EQ(news.refused.message(), "the token has been revoked");
  pollfd readable{watch->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 1'000), 0) << "nothing more comes";
  EXPECT_EQ(calls_, 1);
}

}  // namespace
}  // namespace sluice::sluicectl
