#include "tools/redact/redact.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/file.h"

namespace sluice::redact {
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

INSTANTIATE_TEST_SUITE_P(
    Quotes, RedactTextTest,
    ::testing::Values(
        Case{"EscapedJson", R"(body: "{\"client_secret\": \"hunter2\", \"x\": 1}")",
             R"(body: "{\"client_secret\": [redacted], \"x\": 1}")"},
        Case{"EscapedTwice", R"("{\"a\": \"{\\\"token\\\":\\\"hunter2\\\"}\", \"x\": 1}")",
             R"("{\"a\": \"{\\\"token\\\":[redacted]}\", \"x\": 1}")"},
        Case{"EscapedQuotesInAHeader",
             R"(- "Authorization: Digest username=\"ann\", response=\"hunter2\"")",
             R"(- "Authorization: [redacted]")"},
        Case{"AfterEscapedLineEnds", R"("a: 1\r\nCookie: sid=hunter2\x0d\x0aPwd: hunter2" # c)",
             R"("a: 1\r\nCookie: [redacted]" # c)"},
        Case{"NameAfterAHexEscape", R"("\x0aCookie: hunter2" "\u000aCookie: hunter2")",
             R"("\x0aCookie: [redacted]" "\u000aCookie: [redacted]")"},
        Case{"BearerAfterAnEscape", R"("x\nBearer hunter2hunter2\x0aBearer hunter2hunter2")",
             R"("x\nBearer [redacted]\x0aBearer [redacted]")"},
        Case{"QuotesDoubled", "x: '{''token'': ''hunter2''}' # c",
             "x: '{''token'': [redacted]' # c"},
        Case{"OtherQuotesInside", R"(x: "{'token': 'hunter2', 'y': 1}")",
             R"(x: "{'token': [redacted], 'y': 1}")"},
        Case{"ApostrophesAreNoQuotes", "can't have it, token: hunter2\nit's: x\n",
             "can't have it, token: [redacted]\nit's: x\n"}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Lines, RedactTextTest,
    ::testing::Values(
        Case{"QuoteOverLines", "X-Api-Key: \"abc\n    hunter2\"\nnext: 1\n",
             "X-Api-Key: [redacted]\n    [redacted]\nnext: 1\n"},
        Case{"QuoteOverLinesThatAreNotDeeper",
             "a:\n  token: 'abc\n\n  hunter2\n hunter2' # c\n  next: 1\n",
             "a:\n  token: [redacted]\n\n  [redacted]\n [redacted] # c\n  next: 1\n"},
        Case{"QuoteAroundOverLines", "- \"Authorization: abc\n  hunter2\"\n- next: 1\n",
             "- \"Authorization: [redacted]\n  [redacted]\"\n- next: 1\n"},
        Case{"PlainOverLines", "token: abc\n  hunter2\n  hunter2\nnext: 1\n",
             "token: [redacted]\n  [redacted]\n  [redacted]\nnext: 1\n"},
        Case{"PlainOverLinesInAFlowMap",
             "auth: {user: x,\n  token: abc\n  hunter2, a: 1}\nnext: 1\n",
             "auth: {user: x,\n  token: [redacted]\n  [redacted], a: 1}\nnext: 1\n"},
        Case{"ListInAFlowMap", "auth: {user: x,\n  tokens: [abc,\n  hunter2], a: 1}\nnext: 1\n",
             "auth: {user: x,\n  tokens: [redacted]\n  [redacted], a: 1}\nnext: 1\n"},
        Case{"ValueOnTheNextLineInAFlowMap", "auth: {user: x,\n  token:\n  hunter2}\nnext: 1\n",
             "auth: {user: x,\n  token:\n  [redacted]}\nnext: 1\n"},
        Case{"CommentsEndNoBlock", "tokens:\n# old\n- hunter2\n  # older\n- hunter2\nnext: 1\n",
             "tokens:\n# old\n[redacted]\n  [redacted]\n[redacted]\nnext: 1\n"},
        Case{"InComments", "# tokens:\n#   - hunter2\n#   - hunter2\n# next: 1\n",
             "# tokens:\n#   [redacted]\n#   [redacted]\n# next: 1\n"},
        Case{"WindowsLineEnds",
             "secret: |\r\n  hunter2\r\ntoken:\r\n  hunter2\r\npassword: hunter2\r\nnext: 1\r\n",
             "secret: [redacted]\r\n  [redacted]\r\ntoken:\r\n  [redacted]\r\n"
             "password: [redacted]\r\nnext: 1\r\n"},
        Case{"JsonInQuotesOverLines", "x: '{\"a\": 1, \"tokens\":\n  \"hunter2\"}'\nnext: 1\n",
             "x: '{\"a\": 1, \"tokens\":\n  [redacted]'\nnext: 1\n"},
        Case{"JsonInQuotesFurtherUp", "x: '{\"a\": 1,\n  \"tokens\":\n  \"hunter2\"}'\nnext: 1\n",
             "x: '{\"a\": 1,\n  \"tokens\":\n  [redacted]}'\nnext: 1\n"},
        Case{"QuotesFurtherUp", "x: {a: 'b\n  c', token: 'x:hunter2 y', d: 1}\n",
             "x: {a: 'b\n  c', token: [redacted], d: 1}\n"},
        Case{"BracketsInQuotes", "{a: {b: 1,\n  tokens: ['x]',\n  hunter2], c: 1}}\n",
             "{a: {b: 1,\n  tokens: [redacted]\n  [redacted], c: 1}}\n"},
        Case{"NameOnTheNextLine", "- name: >-\n    api key\n  value: hunter2\n",
             "- name: >-\n    api key\n  value: [redacted]\n"},
        Case{"ListsInLists", "- - token: |\n      hunter2\n    a: 1\n",
             "- - token: [redacted]\n      [redacted]\n    a: 1\n"}),
    [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Forms, RedactTextTest,
    ::testing::Values(
        Case{"SchemeAfterAnEqualSign", "authorization=Bearer hunter2hunter2 x",
             "authorization=[redacted] x"},
        Case{"DigestAfterAnEqualSign", "authorization=Digest hunter2 x",
             "authorization=[redacted] x"},
        Case{"CommaInAValue", "password=ab,hunter2 x", "password=[redacted] x"},
        Case{"CommaBeforeTheNext", "login(password=hunter2,host=db)",
             "login(password=[redacted],host=db)"},
        Case{"NoUser", "redis://:hunter2@10.0.0.1/0", "redis://[redacted]@10.0.0.1/0"},
        Case{"UserAlone", "https://hunter2@host/x", "https://[redacted]@host/x"},
        Case{"AtInAPassword", "see https://ann:p@hunter2@host/x", "see https://[redacted]@host/x"},
        Case{"HeaderWithoutABlank", "curl -H 'Cookie:sid=hunter2' -H X-Auth:hunter2",
             "curl -H 'Cookie:[redacted]' -H X-Auth:[redacted]"},
        Case{"NamesOfTwoWords",
             "# API key: hunter2\n'api key': hunter2\nprivate key = hunter2 # x\nseal key: "
             "hunter2\n",
             "# API key: [redacted]\n'api key': [redacted]\nprivate key = [redacted] # x\n"
             "seal key: [redacted]\n"},
        Case{"Parameters",
             "/x?auth=hunter2&pass=hunter2&session=hunter2&signature=hunter2&jwt=hunter2&sid="
             "hunter2",
             "/x?auth=[redacted]&pass=[redacted]&session=[redacted]&signature=[redacted]&"
             "jwt=[redacted]&sid=[redacted]"},
        Case{"Fields",
             "X-Auth: hunter2\nX-Session-Id: hunter2\nX-Signature: hunter2\n"
             "- {name: X-Signature, value: hunter2}\n",
             "X-Auth: [redacted]\nX-Session-Id: [redacted]\nX-Signature: [redacted]\n"
             "- {name: X-Signature, value: [redacted]\n"}),
    [](const auto& tested) { return tested.param.name; });

class KeptTextTest : public ::testing::TestWithParam<const char*> {};

TEST_P(KeptTextTest, WhatIsUsefulStays) { EXPECT_EQ(RedactText(GetParam()), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    All, KeptTextTest,
    ::testing::Values(
        "a:\n  # the proxy's own token:\n  b:\n    c: 1\n", "a: # with a token:\n  b: 1\n",
        "/etc/sluice/token-service.yaml:12:3: services[0]: unknown key 'x'",
        "token-service.yaml:12:3: unknown key", "/etc/sluice/token.yaml: no such file",
        "node token-1: connection refused", "upstream token-service: no endpoint is healthy",
        "[token-1.svc:8443, web-2:80]", "addr: token-1:8443", "auth: {user: ann, port: 1}",
        "{hash_on: cookie:sid, a: 1}", "\"hash_on\": \"cookie:sid\"", "hash(cookie:sid)",
        "hash_on: query:token\nhash_on: header:X-Session-Id\n",
        "authority: a.test\npassthrough: yes\npass_through: yes\nauthor: ann\nsessions: 3\n"));

// Every key of the reference with its example.
TEST(RedactTextTest, OurOwnConfigurationHasNoSecretKeys) {
  const auto page = base::ReadFile("docs/reference/configuration.md", 1 << 20);
  ASSERT_TRUE(page.ok()) << page.status();
  size_t rows = 0;
  std::istringstream lines(*page);
  for (std::string row; std::getline(lines, row);) {
    if (row.rfind("| `", 0) != 0) continue;
    const std::string key = row.substr(3, row.find('`', 3) - 3);
    const size_t end = row.rfind('`');
    const size_t begin = row.rfind('`', end - 1) + 1;
    const std::string example = row.substr(begin, end - begin);
    for (const std::string& line : {key + ": " + example, key + ":\n  " + example,
                                    "{" + key + ": " + example + "}", key + "=" + example}) {
      EXPECT_EQ(RedactText(line), line);
    }
    ++rows;
  }
  EXPECT_GT(rows, 100u);
}

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
    "auth": {"user": "ann", "pass": "hunter2"},
    "session": "hunter2",
    "hash_on": "cookie:sid",
    "count": 7, "on": true, "none": null
  })");
  RedactJson(&json);
  EXPECT_THAT(json.dump(), Not(HasSubstr(kPlanted)));
  EXPECT_EQ(json["list"][1]["value"], "kept");
  EXPECT_EQ(json["list"][0]["name"], "Authorization");
  EXPECT_EQ(json["credentials"], "[redacted]");
  EXPECT_EQ(json["reason"], "connect to [redacted]@host: refused");
  EXPECT_EQ(json["count"], 7);
  EXPECT_EQ(json["auth"]["user"], "ann");
  EXPECT_EQ(json["hash_on"], "cookie:sid");
}

}  // namespace
}  // namespace sluice::redact
