#include "common/base/service_manager.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "common/base/file.h"

namespace sluice::base {
namespace {

class ServiceManagerTest : public ::testing::Test {
 protected:
  ~ServiceManagerTest() override { unsetenv("NOTIFY_SOCKET"); }
};

TEST_F(ServiceManagerTest, WithoutOneNobodyIsTold) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(NotifyReady().ok());
}

TEST_F(ServiceManagerTest, ItLearnsTheMainProcess) {
  const std::string name = fmt::format("sluice-notify-{}", getpid());
  const UniqueFd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(bind(manager.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
  setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  EXPECT_TRUE(NotifyReady().ok()) << NotifyReady();
  char got[128];
  const ssize_t length = recv(manager.get(), got, sizeof got, 0);
  ASSERT_GT(length, 0);
  EXPECT_EQ(std::string(got, static_cast<size_t>(length)),
            fmt::format("READY=1\nMAINPID={}", getpid()));
}

TEST_F(ServiceManagerTest, WhatIsNoSocketIsAnErrorThatNamesIt) {
  for (const std::string& name :
       {std::string("relative"), std::string("/nowhere/notify"), std::string(200, '/')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const absl::Status status = NotifyReady();
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace sluice::base
