#include "controlplane/trust/server_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/config/testing_certificates.h"
#include "controlplane/store/testing_folder.h"

namespace sluice::trust {
namespace {

using config::testing_certificates::MakeSelfSigned;
using config::testing_certificates::Pair;
using ::testing::HasSubstr;

class ServerFilesTest : public ::testing::Test {
 protected:
  ServerFilesTest() {
    Write("a.pem", one_.chain_pem);
    Write("a.key", one_.key_pem);
    Write("ca.pem", one_.chain_pem);
  }
  void Write(const std::string& name, const std::string& content) const {
    ASSERT_TRUE(base::WriteFileAtomically(folder_ / name, content, 0600).ok());
  }
  absl::StatusOr<std::unique_ptr<ServerFiles>> Open() const {
    return ServerFiles::Open(
        {.certificate = folder_ / "a.pem", .key = folder_ / "a.key", .ca = folder_ / "ca.pem"});
  }
  const Pair one_ = MakeSelfSigned(), two_ = MakeSelfSigned();
  store::testing::Folder folder_;
};

TEST_F(ServerFilesTest, WhatWasReplacedIsUsedOnceItFits) {
  const auto files = Open();
  ASSERT_TRUE(files.ok()) << files.status();
  const auto first = (*files)->Current(1);
  EXPECT_EQ(first->chain_pem, one_.chain_pem);
  EXPECT_EQ((*files)->Current(2), first);
  Write("a.pem", two_.chain_pem);
  EXPECT_EQ((*files)->Current(3), first);  // The key is still the old one.
  Write("a.key", two_.key_pem);
  EXPECT_EQ((*files)->Current(3), first);  // It has looked in this second already.
  const auto second = (*files)->Current(4);
  EXPECT_EQ(second->chain_pem, two_.chain_pem);
  EXPECT_EQ(second->key_pem, two_.key_pem);
  EXPECT_NE(second->generation, first->generation);
  Write("ca.pem", two_.chain_pem);
  const auto third = (*files)->Current(5);
  EXPECT_EQ(third->roots_pem, two_.chain_pem);
  EXPECT_NE(third->generation, second->generation);
  Write("ca.pem", "garbage");
  EXPECT_EQ((*files)->Current(6), third);
  ASSERT_EQ(unlink((folder_ / "a.key").c_str()), 0);
  EXPECT_EQ((*files)->Current(7), third);
}

TEST_F(ServerFilesTest, SaysWhichFileIsNoGood) {
  Write("a.key", two_.key_pem);
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("do not belong together"));
  Write("a.key", "garbage");
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("a.key: no private key"));
  Write("ca.pem", "garbage");
  Write("a.key", one_.key_pem);
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("ca.pem: "));
}

}  // namespace
}  // namespace sluice::trust
