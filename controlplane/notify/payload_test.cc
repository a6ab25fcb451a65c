#include "controlplane/notify/payload.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace sluice::notify {
namespace {

// By `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
TEST(PayloadTest, SignatureIsWhatOthersCompute) {
  EXPECT_EQ(Sign("0123456789abcdef", 1'700'000'000, "{\"a\":1}"),
            "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23");
}

TEST(PayloadTest, SignatureDependsOnSecretTimeAndBody) {
  const std::string one = Sign("secret", 1, "body");
  EXPECT_EQ(one, Sign("secret", 1, "body"));
  EXPECT_NE(one.substr(one.find("v1")), Sign("secret", 2, "body").substr(one.find("v1")));
  EXPECT_NE(one, Sign("secreT", 1, "body"));
  EXPECT_NE(one, Sign("secret", 1, "bodY"));
}

TEST(PayloadTest, BodySaysWhatThereIsToSay) {
  Event event;
  event.kind = EventKind::kNode;
  event.action = "rejected";
  event.node_id = "edge-1";
  event.version.set_epoch(7);
  event.version.set_revision(42);
  event.version.set_root("\x01\xff");
  event.message = "quote \" and \xff";
  event.unix_ms = 1'700'000'000'123;
  const auto body = nlohmann::json::parse(BodyOf(event, "id-1"));
  EXPECT_EQ(body["id"], "id-1");
  EXPECT_EQ(body["event"], "node");
  EXPECT_EQ(body["action"], "rejected");
  EXPECT_EQ(body["node"], "edge-1");
  EXPECT_EQ(body["time"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(body["version"]["revision"], 42);
  EXPECT_EQ(body["version"]["root"], "01ff");
  EXPECT_FALSE(body.contains("author"));
  EXPECT_TRUE(body["message"].get<std::string>().starts_with("quote \" and "));
}

TEST(PayloadTest, DeliveriesHaveIdsOfTheirOwn) {
  EXPECT_EQ(NewDeliveryId().size(), 32u);
  EXPECT_NE(NewDeliveryId(), NewDeliveryId());
}

}  // namespace
}  // namespace sluice::notify
