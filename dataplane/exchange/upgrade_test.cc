#include "dataplane/exchange/upgrade.h"

#include <gtest/gtest.h>

#include "dataplane/http/field_id.h"

namespace sluice::exchange {
namespace {

using http::Failure;

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";

class UpgradeTest : public testing::Test {
 protected:
  UpgradeTest() {
    request_.head = &head_;
    head_.method = http::Method::kGet;
    head_.has_upgrade = true;
  }
  void Add(std::string_view name, std::string_view value) {
    head_.fields.push_back({name, value, http::IdentifyField(name)});
  }
  Failure Read() {
    upgrade_ = {};
    return ReadUpgrade(request_, allowed_, random_, &upgrade_);
  }
  bool Accepts(const std::vector<http::Field>& fields) {
    http::ResponseHead response;
    response.status = 101;
    for (http::Field field : fields) {
      field.id = http::IdentifyField(field.name);
      response.fields.push_back(field);
    }
    return AcceptsUpgrade(upgrade_, response);
  }

  http::RequestHead head_;
  IncomingRequest request_;
  std::vector<std::string> allowed_ = {"websocket", "foo"};
  base::Random random_{1};
  Upgrade upgrade_;
};

// RFC 6455 section 1.3.
TEST_F(UpgradeTest, TheAcceptOfTheStandardsExample) {
  EXPECT_EQ(WebSocketAccept(kKey), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_F(UpgradeTest, AHandshakeIsTaken) {
  Add("Upgrade", "WebSocket");
  Add("Sec-WebSocket-Key", kKey);
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_EQ(upgrade_.protocol, "WebSocket");
  EXPECT_EQ(upgrade_.key, kKey);
  EXPECT_TRUE(Accepts(
      {{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}));
  EXPECT_FALSE(Accepts({{"Upgrade", "websocket"}, {"Sec-WebSocket-Accept", "AAAA"}}));
  EXPECT_FALSE(Accepts({{"Upgrade", "websocket"}}));
  EXPECT_FALSE(
      Accepts({{"Upgrade", "foo"}, {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}));
}

TEST_F(UpgradeTest, AHandshakeThatCannotBeOneIsRefused) {
  Add("Upgrade", "websocket");
  EXPECT_EQ(Read(), Failure::kBadRequest) << "no key";
  Add("Sec-WebSocket-Key", "short");
  EXPECT_EQ(Read(), Failure::kBadRequest) << "a bad key";
  head_.fields.back().value = kKey;
  head_.method = http::Method::kPost;
  EXPECT_EQ(Read(), Failure::kBadRequest) << "POST";
  head_.method = http::Method::kGet;
  head_.framing = http::Framing::kLength;
  EXPECT_EQ(Read(), Failure::kBadRequest) << "a body";
  head_.framing = http::Framing::kNone;
  Add("Sec-WebSocket-Key", kKey);
  EXPECT_EQ(Read(), Failure::kBadRequest) << "two keys";
}

TEST_F(UpgradeTest, WhatIsNotAllowedIsAsGoodAsAbsent) {
  Add("Upgrade", "h2c");
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_FALSE(upgrade_);
  head_.fields.front().value = "foo, websocket";
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_FALSE(upgrade_);
  head_.fields.front().value = "foo";
  head_.has_upgrade = false;  // Connection does not name it.
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_FALSE(upgrade_);
}

TEST_F(UpgradeTest, OtherProtocolsNeedNoKeyButNoBodyEither) {
  Add("Upgrade", "Foo");
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_EQ(upgrade_.protocol, "Foo");
  EXPECT_TRUE(Accepts({{"upgrade", "foo"}}));
  head_.framing = http::Framing::kChunked;
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_FALSE(upgrade_);
}

TEST_F(UpgradeTest, ConnectWithAProtocolGetsAKeyOfItsOwn) {
  head_.has_upgrade = false;
  head_.method = http::Method::kConnect;
  request_.connect_protocol = "websocket";
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_TRUE(upgrade_.by_connect);
  ASSERT_EQ(upgrade_.key.size(), kWebSocketKeyChars);
  EXPECT_EQ(upgrade_.key.substr(22), "==");
  request_.connect_protocol = "bar";
  EXPECT_EQ(Read(), Failure::kUpgradeRefused);
}

TEST_F(UpgradeTest, NothingWasAskedForNothingIsAccepted) {
  head_.has_upgrade = false;
  ASSERT_EQ(Read(), Failure::kNone);
  EXPECT_FALSE(Accepts({{"Upgrade", "websocket"}}));
}

}  // namespace
}  // namespace sluice::exchange
