#include "tools/sluicectl/output.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/route.pb.h"

namespace sluice::sluicectl {
namespace {

v1::FleetStatus Fleet() {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  status.mutable_version()->set_root(std::string("\x00\xff\x10", 3));
  v1::NodeStatus* node = status.add_nodes();
  node->set_node_id("edge-1");
  node->set_state(v1::NodeStatus::SYNCED);
  (*node->mutable_hello()->mutable_labels())["zone"] = "b";
  (*node->mutable_hello()->mutable_labels())["a"] = "1";
  return status;
}

TEST(ToJsonTest, KeepsFieldNamesAndDefaults) {
  const Json json = ToJson(Fleet());
  EXPECT_EQ(json["version"]["revision"], 7);
  EXPECT_EQ(json["version"]["root"], "00ff10");
  EXPECT_EQ(json["released_unix_ms"], 0);
  EXPECT_EQ(json["nodes"][0]["node_id"], "edge-1");
  EXPECT_EQ(json["nodes"][0]["state"], "SYNCED");
  EXPECT_EQ(json["nodes"][0]["hello"]["labels"].dump(), R"({"a":"1","zone":"b"})");
  EXPECT_FALSE(json.contains("source")) << "a message that is not set";
}

TEST(ToJsonTest, ShowsTheMessageInsideAResource) {
  v1::RouteTable table;
  table.set_service("api");
  table.add_routes()->mutable_respond()->set_status(404);
  v1::Resource resource;
  resource.set_kind(v1::RESOURCE_KIND_ROUTE_TABLE);
  resource.set_name("api");
  resource.set_body(table.SerializeAsString());
  const Json json = ToJson(resource);
  EXPECT_EQ(json["body"]["routes"][0]["respond"]["status"], 404);
  EXPECT_FALSE(json["body"]["routes"][0].contains("forward"));
}

TEST(ToJsonTest, NeverShowsAPrivateKey) {
  v1::Certificate certificate;
  certificate.set_key_pem("-----BEGIN PRIVATE KEY-----");
  v1::Resource resource;
  resource.set_kind(v1::RESOURCE_KIND_CERTIFICATE);
  resource.set_body(certificate.SerializeAsString());
  EXPECT_EQ(ToJson(resource).dump().find("PRIVATE"), std::string::npos);
}

TEST(ToJsonTest, NamesEnumValuesOfTheFutureByNumber) {
  v1::NodeStatus node;
  node.set_state(static_cast<v1::NodeStatus::State>(99));
  EXPECT_EQ(ToJson(node)["state"], 99);
}

TEST(EncodeTest, HoldsNoByteATerminalActsOn) {
  v1::NodeStatus node;
  node.set_reason("\x1b[2J \x7f \xC2\x9B \n \xff");
  for (const Format format : {Format::kJson, Format::kYaml}) {
    const std::string encoded = Encode(ToJson(node), format);
    for (size_t i = 0; i < encoded.size(); ++i) {
      const auto byte = static_cast<unsigned char>(encoded[i]);
      EXPECT_TRUE(byte >= 0x20 || byte == '\n');
      EXPECT_NE(byte, 0x7F);
      EXPECT_FALSE(byte == 0xC2 && static_cast<unsigned char>(encoded[i + 1]) < 0xA0);
    }
    EXPECT_NE(encoded.find("\\u001b[2J \\u007f \\u009b \\n"), std::string::npos) << encoded;
  }
}

TEST(EncodeTest, StreamsOneJsonValueALine) {
  const std::string encoded = Encode(ToJson(Fleet()), Format::kJson, Layout::kStream);
  EXPECT_EQ(encoded.find('\n'), encoded.size() - 1);
}

// Every string comes back from a YAML reader as the same string.
TEST(EncodeTest, YamlReadsBackAsWritten) {
  const std::vector<std::string> words = {
      "plain", "yes", "NO",  "null",       "~",     "",     "1.5",   "0x1f",       "a: b",
      "- x",   "#c",  "'q'", "\"q\"",      "a\nb",  "路由", " pad ", "@x",         "*x",
      "&x",    "{a}", "[a]", "2024-01-01", "12:30", "!t",   "%x",    "http://a/b", "\\"};
  Json json = Json::object();
  json["words"] = words;
  json["map"]["on"]["deep"] = Json::array({Json::array({1, 2}), Json::object()});
  json["map"]["no"] = Json::array();
  json["list"] = Json::array({Json{{"a", 1}, {"b", Json{{"c", true}}}}});
  const YAML::Node root = YAML::Load(Encode(json, Format::kYaml));
  ASSERT_EQ(root["words"].size(), words.size());
  for (size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(root["words"][i].as<std::string>(), words[i]);
  }
  EXPECT_EQ(root["map"]["on"]["deep"][0][1].as<int>(), 2);
  EXPECT_EQ(root["map"]["on"]["deep"][1].size(), 0u);
  EXPECT_TRUE(root["map"]["no"].IsSequence());
  EXPECT_EQ(root["list"][0]["b"]["c"].as<bool>(), true);
}

TEST(ParseJsonTest, RefusesWhatIsNoJsonOrTooDeep) {
  EXPECT_FALSE(ParseJson("{").ok());
  EXPECT_FALSE(ParseJson("").ok());
  EXPECT_FALSE(ParseJson(std::string(100'000, '[')).ok());
  EXPECT_FALSE(ParseJson(std::string(100, '[') + std::string(100, ']')).ok());
  EXPECT_TRUE(ParseJson("[[{\"a\": 1}]]").ok());
}

}  // namespace
}  // namespace sluice::sluicectl
