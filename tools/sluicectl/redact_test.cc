#include "tools/sluicectl/redact.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace sluice::sluicectl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Every planted secret has this in it.
constexpr char kPlanted[] = "hunter2";

struct Case {
  std::string name;
  std::string text;
  std::string expected;
};

class RedactTextTest : public ::testing::TestWithParam<Case> {};

TEST_P(RedactTextTest, SecretsGoAndTheRestStays) {
  const std::string redacted = RedactText(GetParam().text);
  EXPECT_EQ(redacted, GetParam().expected);
  EXPECT_THAT(redacted, Not(HasSubstr(kPlanted)));
  EXPECT_EQ(std::count(redacted.begin(), redacted.end(), '\n'),
            std::count(GetParam().text.begin(), GetParam().text.end(), '\n'));
  EXPECT_EQ(RedactText(redacted), redacted) << "twice is as good as once";
}

INSTANTIATE_TEST_SUITE_P(
    All, RedactTextTest,
    ::testing::Values(
        Case{"PrivateKey",
             "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
             "-----BEGIN EC PRIVATE KEY-----\nhunter2\nhunter2\n-----END EC PRIVATE KEY-----\nx\n",
             "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
             "[private key redacted]\n\n\n\nx\n"},
        Case{"PrivateKeyInABlock",
             "a:\n  inline: |\n    -----BEGIN PRIVATE KEY-----\n    hunter2\n"
             "    -----END PRIVATE KEY-----\n  b: 1\n",
             "a:\n  inline: |\n    [private key redacted]\n\n\n  b: 1\n"},
        Case{"PrivateKeyInAComment", "# -----BEGIN RSA PRIVATE KEY----- hunter2",
             "# [private key redacted]"},
        Case{"PrivateKeyInAString",
             R"(x: "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n" # y)",
             R"(x: "[private key redacted]\n" # y)"},
        Case{"PlainValue", "password: hunter2 # old\nport: 80\n",
             "password: [redacted]\nport: 80\n"},
        Case{"QuotedValues", "token: 'it''s hunter2' # a\napi-key: \"a\\\"hunter2\"  # b\n",
             "token: [redacted] # a\napi-key: [redacted]  # b\n"},
        Case{"FlowMap", "auth: {user: ann, client_secret: 'hunter2', port: 1}\n",
             "auth: {user: ann, client_secret: [redacted], port: 1}\n"},
        Case{"FlowMapUnquoted", "auth: {token: hunter2, x: 1}\n", "auth: {token: [redacted]\n"},
        Case{"Block", "  secret: |\n    hunter2\n\n    hunter2\n  next: 1\n",
             "  secret: [redacted]\n    [redacted]\n\n    [redacted]\n  next: 1\n"},
        Case{"BlockOfMembers", "credentials:\n  - hunter2\n  - user: hunter2\nnext: 1\n",
             "credentials:\n  [redacted]\n  [redacted]\nnext: 1\n"},
        Case{"BlockInAList", "- token: |\n    hunter2\n  next: 1\n",
             "- token: [redacted]\n    [redacted]\n  next: 1\n"},
        Case{"ListAtTheSameIndent", "tokens:\n- hunter2\n- hunter2\nnext: 1\n",
             "tokens:\n[redacted]\n[redacted]\nnext: 1\n"},
        Case{"FlowOverLines", "tokens: [\n  hunter2,\n  hunter2]\nnext: 1\n",
             "tokens: [redacted]\n  [redacted]\n  [redacted]\nnext: 1\n"},
        Case{"HeaderByName",
             "- name: X-Auth-Token\n  value: hunter2\n- name: X-Plain\n  value: kept\n",
             "- name: X-Auth-Token\n  value: [redacted]\n- name: X-Plain\n  value: kept\n"},
        Case{"HeaderInFlow", "{name: Cookie, value: 'sid=hunter2'}",
             "{name: Cookie, value: [redacted]}"},
        Case{"HeaderInAString", "- \"Authorization: Bearer hunter2\"\n- 'X-Api-Key: hunter2'\n",
             "- \"Authorization: [redacted]\"\n- 'X-Api-Key: [redacted]'\n"},
        Case{"Bearer", "said Bearer hunter2hunter2 and went", "said Bearer [redacted] and went"},
        Case{"Basic", "curl -H 'x: basic aHVudGVyMg==hunter2'", "curl -H 'x: basic [redacted]'"},
        Case{"WebToken", "got eyJhbGciOiJub25lIn0.hunter2hunter2.sig here", "got [redacted] here"},
        Case{"JoinToken", "give it sluice-join-1.ab12cd34ef56.hunter2.00ff: and go\n",
             "give it [redacted]: and go\n"},
        Case{"OperatorToken", "--token-file: 'sluice-operator-2.ab12.hunter2'",
             "--token-file: [redacted]"},
        Case{"OperatorTokenInWords", "made sluice-operator-1.ab12cd34ef56.hunter2, for ann",
             "made [redacted], for ann"},
        Case{"SealKey", "SLUICE_CONTROLLER_SEAL_KEY=hunter2 sluice-controller\nseal_key: hunter2\n",
             "SLUICE_CONTROLLER_SEAL_KEY=[redacted] sluice-controller\nseal_key: [redacted]\n"},
        Case{"Sealed", "before sluice sealed 1\n0011223344556677hunter2\nhunter2",
             "before [sealed, redacted]\n\n"},
        Case{"Address", "addr: admin:hunter2@10.0.0.1:80\nurl: http://a:hunter2@b.test/x\n",
             "addr: [redacted]@10.0.0.1:80\nurl: http://[redacted]@b.test/x\n"},
        Case{"Query", "GET /x?a=1&access_token=hunter2&b=2 HTTP/1.1",
             "GET /x?a=1&access_token=[redacted]&b=2 HTTP/1.1"},
        Case{"JsonText", "{\"key_pem\": \"hunter2\", \"a\": 1}",
             "{\"key_pem\": [redacted], \"a\": 1}"},
        Case{"NothingSecret",
             "cert_path: site.pem\nkey_path: site.key\nhash_on: cookie:sid\nauthor: root@vm\n"
             "bind_address: '[::]:8000'\nmessage: basic auth, bearer of news\n"
             "program: sluice-operator-1 of 2\n",
             "cert_path: site.pem\nkey_path: site.key\nhash_on: cookie:sid\nauthor: root@vm\n"
             "bind_address: '[::]:8000'\nmessage: basic auth, bearer of news\n"
             "program: sluice-operator-1 of 2\n"}),
    [](const auto& tested) { return tested.param.name; });

TEST(RedactTextTest, TakesWhateverItIsGiven) {
  for (const char* text :
       {"", "\n", "token", "token:", "token:\n", "password=", "'token", "\"",
        "-----BEGIN PRIVATE KEY", "@", ":@x", "a:@b", "token: \"", "- token: |"}) {
    RedactText(text);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  RedactText(all + "token:" + all);
}

TEST(RedactJsonTest, MembersAndStringsAlike) {
  Json json = Json::parse(R"({
    "key_pem": "hunter2",
    "list": [{"name": "Authorization", "value": "hunter2"}, {"name": "X", "value": "kept"}],
    "body": "{\"token\": \"hunter2\"}",
    "reason": "connect to u:hunter2@host: refused",
    "credentials": {"user": "hunter2"},
    "count": 7, "on": true, "none": null
  })");
  RedactJson(&json);
  EXPECT_THAT(json.dump(), Not(HasSubstr(kPlanted)));
  EXPECT_EQ(json["list"][1]["value"], "kept");
  EXPECT_EQ(json["list"][0]["name"], "Authorization");
  EXPECT_EQ(json["credentials"], "[redacted]");
  EXPECT_EQ(json["reason"], "connect to [redacted]@host: refused");
  EXPECT_EQ(json["count"], 7);
}

}  // namespace
}  // namespace sluice::sluicectl
