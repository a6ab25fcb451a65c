#include "tools/redact/known_secrets.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace sluice::redact {
namespace {

TEST(KnownSecretsTest, ValuesUnderSecretNamesAreFoundHoweverTheyAreWritten) {
  for (const char* yaml : {
           "password: planted-7",
           "password: \"planted\\x2d7\"",
           "password: &a planted-7",
           "x: &a planted-7\npassword: *a",
           "a: [{b: {? token : planted-7, c: d}}]",
           "secrets: {deep: [[planted-7]]}",
           "- {name: Cookie, value: planted-7}",
           "- {value: planted-7, name: Cookie}",
           "- 'Cookie: planted-7'",

           "body: '{\"token\": \"planted-7\"}'",
           "auth: planted-7",
           "auth: {pass: planted-7}",
           "token: >-\n  short\n  planted-7",
           "token: |\n  planted-7\n  other-words\n",
           "--- a\n--- {token: planted-7}",
           "token: Digest planted-7",
       }) {
    KnownSecrets secrets;
    secrets.Learn(yaml);
    EXPECT_EQ(secrets.Without("a planted-7, b"), "a [redacted], b") << yaml;
  }
}

TEST(KnownSecretsTest, WhatIsNoSecretOrShortStays) {
  KnownSecrets secrets;
  secrets.Learn(
      "name: planted-7\ntoken: short\nsecret: Bearer of words\nauth: {user: ann-smith}\n");
  const std::string text = "planted-7 short Bearer words ann-smith";
  EXPECT_EQ(secrets.Without(text), text);
}

TEST(KnownSecretsTest, AlsoWhatJsonAndQuotesMakeOfThem) {
  KnownSecrets secrets;
  secrets.Learn("token: 'a\"b''c\\d7'");
  EXPECT_EQ(secrets.Without(R"(a"b'c\d7 "a\"b'c\\d7" 'a"b''c\d7')"),
            R"([redacted] "[redacted]" '[redacted]')");
  Json json = {{"a\"b'c\\d7", {1, "x a\"b'c\\d7"}}, {"n", 7}};
  secrets.RemoveFrom(&json);
  EXPECT_EQ(json, Json({{"[redacted]", {1, "x [redacted]"}}, {"n", 7}}));
}

TEST(KnownSecretsTest, TheLongestGoesFirst) {
  KnownSecrets secrets;
  secrets.Learn("tokens: [planted, planted-and-more]");
  EXPECT_EQ(secrets.Without("planted-and-more planted"), "[redacted] [redacted]");
}

TEST(KnownSecretsTest, TakesWhateverItIsGiven) {
  KnownSecrets secrets;
  for (const char* yaml : {"", "a: [", "&a [*a]", "\x01\xff", "{token: }", "? {a: b} : token",
                           "token: &a [*a, planted]"}) {
    secrets.Learn(yaml);
  }
  secrets.Learn("token: \xff\xfe\xfd\xfc\xfb\xfa\xf9");
  secrets.Learn(std::string(50, '[') + "{token: planted-7}" + std::string(50, ']'));
  EXPECT_EQ(secrets.Without("planted-7"), "[redacted]");
}

}  // namespace
}  // namespace sluice::redact
