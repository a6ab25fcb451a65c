#include "common/config/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using testing::HasSubstr;

TEST(WordsTest, Names) {
  for (const char* name : {"a", "api-gateway", "users.service_2", "team/app", "9"}) {
    EXPECT_EQ(NameProblem(name), "") << name;
  }
  for (const char* name : {"", "-a", "a b", "a\n", "a\"b", ".a", "中"}) {
    EXPECT_NE(NameProblem(name), "") << name;
  }
  EXPECT_EQ(NameProblem(std::string(128, 'a')), "");
  EXPECT_NE(NameProblem(std::string(129, 'a')), "");
}

TEST(WordsTest, HostPatterns) {
  for (const char* host : {"", "*", "a.test", "*.a.test", "localhost", "10.0.0.1", "[::1]", "a_b.c",
                           "xn--fiq228c.test"}) {
    EXPECT_EQ(HostPatternProblem(host), "") << host;
  }
  EXPECT_THAT(HostPatternProblem("A.test"), HasSubstr("lower case"));
  EXPECT_THAT(HostPatternProblem("a.test:80"), HasSubstr("port"));
  EXPECT_THAT(HostPatternProblem("a.*.test"), HasSubstr("star"));
  EXPECT_THAT(HostPatternProblem("a.test."), HasSubstr("empty label"));
  for (const char* host : {"*a.test", "*.", "**", "*.*.test", ".a", "a..b", "a b", "a/b", "中.test",
                           "[::1", "[a]", "::1", "*.[::1]"}) {
    EXPECT_NE(HostPatternProblem(host), "") << host;
  }
  EXPECT_NE(HostPatternProblem(std::string(64, 'a') + ".test"), "");
  std::string labels = "a";
  while (labels.size() <= 253) labels += ".a";
  EXPECT_NE(HostPatternProblem(labels), "");
}

TEST(WordsTest, Authorities) {
  for (const char* text : {"a.test", "a.test:8080", "10.0.0.1:80", "[::1]", "[::1]:80", "A.Test"}) {
    EXPECT_EQ(AuthorityProblem(text), "") << text;
  }
  for (const char* text : {"", "a.test:", "a.test:x", "a.test:99999", "u@a.test", "a.test/x", "::1",
                           "a\r\nb", "*.a.test"}) {
    EXPECT_NE(AuthorityProblem(text), "") << text;
  }
}

TEST(WordsTest, ServerNames) {
  EXPECT_EQ(SniProblem("users.internal"), "");
  EXPECT_THAT(SniProblem("10.0.0.1"), HasSubstr("address"));
  EXPECT_THAT(SniProblem("::1"), HasSubstr("address"));
  EXPECT_NE(SniProblem(""), "");
  EXPECT_NE(SniProblem("a.test:443"), "");
}

TEST(WordsTest, Addresses) {
  EXPECT_EQ(AddressProblem("0.0.0.0:80"), "");
  EXPECT_EQ(AddressProblem("[::]:80"), "");
  EXPECT_THAT(AddressProblem("0.0.0.0:0"), HasSubstr("port 0"));
  EXPECT_THAT(AddressProblem("a.test:80"), HasSubstr("a name is not supported yet"));
}

TEST(WordsTest, PathPatternsMustBeInNormalForm) {
  for (const char* path : {"/", "/api", "/api/", "/a%20b", "/~user"}) {
    EXPECT_EQ(PathPatternProblem(path, false), "") << path;
  }
  EXPECT_THAT(PathPatternProblem("api", false), HasSubstr("must begin with '/'"));
  EXPECT_THAT(PathPatternProblem("/a/../b", false), HasSubstr("write '/b'"));
  EXPECT_THAT(PathPatternProblem("/%7euser", false), HasSubstr("write '/~user'"));
  EXPECT_THAT(PathPatternProblem("/a//b", false), HasSubstr("write '/a/b'"));
  EXPECT_THAT(PathPatternProblem("/a;x=1", false), HasSubstr("parameter"));
  EXPECT_THAT(PathPatternProblem("/中", false), HasSubstr("can never match"));
  EXPECT_THAT(PathPatternProblem("/a%2Fb", false), HasSubstr("keep_encoded_slashes"));
  EXPECT_EQ(PathPatternProblem("/a%2Fb", true), "");
}

TEST(WordsTest, TargetsAndFieldValues) {
  EXPECT_EQ(TargetProblem("/health?full=1"), "");
  for (const char* target : {"", "health", "/a b", "/a\r\nX: y", "/a#b", "/中"}) {
    EXPECT_NE(TargetProblem(target), "") << target;
  }
  EXPECT_EQ(FieldValueProblem("text/plain; charset=utf-8"), "");
  EXPECT_EQ(FieldValueProblem(""), "");
  for (const char* value : {"a\r\nb", "a\x01", " a", "a "}) {
    EXPECT_NE(FieldValueProblem(value), "") << value;
  }
}

TEST(WordsTest, Tokens) {
  EXPECT_TRUE(IsToken("X-User_1"));
  EXPECT_FALSE(IsToken(""));
  EXPECT_FALSE(IsToken("a b"));
  EXPECT_FALSE(IsToken("a:b"));
}

TEST(WordsTest, Durations) {
  EXPECT_EQ(DurationProblem(0), "");
  EXPECT_EQ(DurationProblem(86'400'000), "");
  EXPECT_NE(DurationProblem(86'400'001), "");
}

TEST(WordsTest, UpgradesAreProtocolsInLowerCaseButNotHttp) {
  for (const char* good : {"websocket", "spdy/3.1", "foo"})
    EXPECT_EQ(UpgradeProblem(good), "") << good;
  for (const char* bad : {"", "WebSocket", "a b", "foo/", "/1", "h2c", "http/2", "tls/1.2"}) {
    EXPECT_NE(UpgradeProblem(bad), "") << bad;
  }
}

}  // namespace
}  // namespace sluice::config
