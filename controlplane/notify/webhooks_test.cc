#include "controlplane/notify/webhooks.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "common/base/file.h"
#include "common/base/testing_reference.h"

namespace sluice::notify {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class WebhooksTest : public ::testing::Test {
 protected:
  WebhooksTest() {
    std::filesystem::create_directories(folder_);
    Write("hook.secret", "0123456789abcdef0123\n");
    Write("short.secret", "abc\n");
    Write("ca.pem", "certificates");
  }
  ~WebhooksTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(base::WriteFileAtomically(folder_ + "/" + name, content, 0600).ok());
  }
  absl::StatusOr<std::vector<Webhook>> Read(const std::string& yaml) {
    Write("hooks.yaml", yaml);
    return ReadWebhooks(folder_ + "/hooks.yaml");
  }
  std::string Refusal(const std::string& yaml) {
    const auto read = Read(yaml);
    EXPECT_FALSE(read.ok());
    return std::string(read.status().message());
  }

  const std::string folder_ = ::testing::TempDir() + "/webhooks-" + std::to_string(::getpid());
};

TEST_F(WebhooksTest, ReferenceIsCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/webhooks.md", WebhooksReference()));
}

TEST_F(WebhooksTest, LittleHasToBeSaid) {
  const auto read = Read(
      "webhooks:\n  - url: 'https://me@hooks.example.com:8443/x?y'\n    secret_file: "
      "hook.secret\n");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_THAT(*read, SizeIs(1));
  const Webhook& webhook = read->front();
  EXPECT_EQ(webhook.url, "https://me@hooks.example.com:8443/x?y");
  EXPECT_EQ(webhook.name, "hooks.example.com:8443");
  EXPECT_EQ(webhook.secret, "0123456789abcdef0123");
  EXPECT_EQ(webhook.timeout, std::chrono::seconds(10));
  EXPECT_EQ(webhook.attempts, 6);
  EXPECT_EQ(webhook.ca_file, "");
  EXPECT_THAT(webhook.events,
              ElementsAre(EventKind::kVersion, EventKind::kRollout, EventKind::kNode));
}

TEST_F(WebhooksTest, EverythingCanBeSaid) {
  const auto read = Read(
      "webhooks:\n  - name: pager\n    url: http://127.0.0.1:9/\n    secret_file: hook.secret\n"
      "    events: [node, version]\n    ca_file: ca.pem\n    timeout: 250ms\n    attempts: 2\n");
  ASSERT_TRUE(read.ok()) << read.status();
  const Webhook& webhook = read->front();
  EXPECT_EQ(webhook.name, "pager");
  EXPECT_THAT(webhook.events, ElementsAre(EventKind::kNode, EventKind::kVersion));
  EXPECT_EQ(webhook.ca_file, folder_ + "/ca.pem");
  EXPECT_EQ(webhook.timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(webhook.attempts, 2);
}

TEST_F(WebhooksTest, EveryProblemIsToldWithItsPlace) {
  const std::string text = Refusal(
      "webhooks:\n"
      "  - ulr: https://a.test/\n"
      "    secret_file: hook.secret\n"
      "  - url: ftp://b.test/\n"
      "    secret_file: hook.secret\n"
      "    events: [versions]\n"
      "  - url: https://c.test/\n"
      "    secret_file: missing.secret\n"
      "  - url: https://d.test/\n"
      "    secret_file: short.secret\n"
      "    ca_file: missing.pem\n");
  EXPECT_THAT(text,
              AllOf(HasSubstr("hooks.yaml:2:5: error: webhooks[0].ulr: unknown key"),
                    HasSubstr("did you mean 'url'?"), HasSubstr("the key 'url' is missing"),
                    HasSubstr("hooks.yaml:4:10: error: webhooks[1].url: "),
                    HasSubstr("hooks.yaml:6:14: error: webhooks[1].events[0]: "),
                    HasSubstr("hooks.yaml:8:18: error: webhooks[2].secret_file: "),
                    HasSubstr("hooks.yaml:10:18: error: webhooks[3].secret_file: the secret has 3"),
                    HasSubstr("hooks.yaml:11:14: error: webhooks[3].ca_file: ")));
}

TEST_F(WebhooksTest, NamesAreForOneEach) {
  const std::string one = "  - url: https://a.test/1\n    secret_file: hook.secret\n";
  EXPECT_THAT(Refusal("webhooks:\n" + one + one), HasSubstr("give each a 'name'"));
  EXPECT_TRUE(Read("webhooks:\n" + one + one + "    name: other\n").ok());
}

TEST_F(WebhooksTest, WhatIsNoListOfThemIsRefused) {
  EXPECT_THAT(Refusal(""), HasSubstr("empty"));
  EXPECT_THAT(Refusal("webhook: []\n"), HasSubstr("did you mean 'webhooks'?"));
  EXPECT_THAT(Refusal("webhooks: yes\n"), HasSubstr("must be a list"));
  EXPECT_THAT(Refusal("webhooks: [\n"), HasSubstr("hooks.yaml:"));
  EXPECT_FALSE(ReadWebhooks(folder_ + "/none.yaml").ok());
}

TEST_F(WebhooksTest, ThereAreNotTooMany) {
  std::string yaml = "webhooks:\n";
  for (int i = 0; i < 17; ++i) {
    yaml += "  - url: https://h" + std::to_string(i) + ".test/\n    secret_file: hook.secret\n";
  }
  EXPECT_THAT(Refusal(yaml), HasSubstr("too many"));
}

}  // namespace
}  // namespace sluice::notify
