#include "dataplane/http/target.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using std::string_view_literals::operator""sv;

TEST(TargetTest, SplitsEachForm) {
  Target target = SplitTarget("/a/b?c=d?e", Method::kGet);
  EXPECT_EQ(target.form, TargetForm::kOrigin);
  EXPECT_EQ(target.authority, "");
  EXPECT_EQ(target.path, "/a/b");
  EXPECT_EQ(target.query, "?c=d?e");

  target = SplitTarget("HTTPS://A.test:8443/x?", Method::kGet);
  EXPECT_EQ(target.form, TargetForm::kAbsolute);
  EXPECT_EQ(target.authority, "A.test:8443");
  EXPECT_EQ(target.path, "/x");
  EXPECT_EQ(target.query, "?");

  target = SplitTarget("*", Method::kOptions);
  EXPECT_EQ(target.form, TargetForm::kAsterisk);
  EXPECT_EQ(target.path, "*");

  target = SplitTarget("[::1]:443", Method::kConnect);
  EXPECT_EQ(target.form, TargetForm::kAuthority);
  EXPECT_EQ(target.authority, "[::1]:443");
  EXPECT_EQ(target.path, "");
}

TEST(TargetTest, AnAbsoluteTargetWithoutPathMeansTheRoot) {
  EXPECT_EQ(SplitTarget("http://a.test", Method::kGet).path, "/");
  const Target target = SplitTarget("http://a.test?q", Method::kGet);
  EXPECT_EQ(target.authority, "a.test");
  EXPECT_EQ(target.path, "/");
  EXPECT_EQ(target.query, "?q");
  EXPECT_EQ(SplitTarget("http://a.test", Method::kOptions).path, "*");
}

TEST(TargetTest, AcceptsWhatTheMethodMayAskFor) {
  for (const std::string_view target :
       {"/"sv, "//"sv, "/a%2Fb;c=1,2!$&'()*+=@:~"sv, "/?%zz"sv, "/x?/?%"sv, "http://a"sv,
        "HtTp://[2001:db8::1]:80/"sv, "https://a_b.test:65535?x"sv, "/{}|\\^`\"<>"sv}) {
    EXPECT_TRUE(IsValidTarget(target, Method::kGet)) << target;
  }
  EXPECT_TRUE(IsValidTarget("*", Method::kOptions));
  EXPECT_TRUE(IsValidTarget("a.test:443", Method::kConnect));
  EXPECT_TRUE(IsValidTarget("[::1]:443", Method::kConnect));
}

TEST(TargetTest, RefusesEverythingElse) {
  for (const std::string_view target : {""sv,
                                        "*"sv,
                                        "**"sv,
                                        "a"sv,
                                        "a.test:80"sv,
                                        "/ "sv,
                                        "/a b"sv,
                                        "/#"sv,
                                        "/%"sv,
                                        "/%4"sv,
                                        "/%4g"sv,
                                        "/%g4"sv,
                                        "/a%?x"sv,
                                        "/\x7f"sv,
                                        "/\x80"sv,
                                        "/\0"sv,
                                        "/\t"sv,
                                        "http:/a"sv,
                                        "http://"sv,
                                        "http:///x"sv,
                                        "http://?x"sv,
                                        "ftp://a/"sv,
                                        "httpx://a/"sv,
                                        "http://a@b/"sv,
                                        "http://a:b@c/"sv,
                                        "http://a:65536/"sv,
                                        "http://a:1:2/"sv,
                                        "http://a\\b/"sv,
                                        "http://%61/"sv,
                                        "http://a/%x"sv,
                                        "http://[::1/"sv,
                                        "http://a#b"sv}) {
    EXPECT_FALSE(IsValidTarget(target, Method::kGet)) << target;
  }
  for (const std::string_view target :
       {""sv, "a.test"sv, "a.test:"sv, "a.test:x"sv, ":443"sv, "[::1]"sv, "[::1]443"sv, "/"sv,
        "http://a.test:443/"sv, "a.test:443/"sv, "u@a.test:443"sv, "*"sv}) {
    EXPECT_FALSE(IsValidTarget(target, Method::kConnect)) << target;
  }
  EXPECT_FALSE(IsValidTarget("*?", Method::kOptions));
}

TEST(TargetTest, EveryByteOfAPathIsPrintableAsciiButNoFragment) {
  // Once where bytes are looked at one by one, once where many at a time are.
  for (const std::string_view rest : {""sv, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"sv}) {
    for (int byte = 0; byte < 256; ++byte) {
      if (byte == '%') continue;
      const std::string target =
          "/aaaaa" + std::string(1, static_cast<char>(byte)) + std::string(rest);
      const bool valid = byte > 0x20 && byte < 0x7f && byte != '#';
      EXPECT_EQ(IsValidTarget(target, Method::kGet), valid) << byte;
    }
  }
}

TEST(AuthorityTest, AcceptsNamesAddressesAndPorts) {
  for (const std::string_view authority :
       {"a"sv, "A.Test"sv, "a_b-c.test"sv, "a.test:0"sv, "a.test:65535"sv, "a.test:"sv,
        "127.0.0.1:80"sv, "[::]"sv, "[::1]:8080"sv, "[::ffff:1.2.3.4]"sv,
        "a.test:00080"sv.substr(0, 11)}) {
    EXPECT_TRUE(IsValidAuthority(authority)) << authority;
  }
}

TEST(AuthorityTest, RefusesEverythingElse) {
  for (const std::string_view authority :
       {""sv,          ":80"sv,
        "a:b"sv,       "a:65536"sv,
        "a:000080"sv,  "a:-1"sv,
        "a:+1"sv,      "a:1:2"sv,
        "a b"sv,       "a\tb"sv,
        "a/b"sv,       "a?b"sv,
        "a#b"sv,       "u@a"sv,
        "a\\b"sv,      "a%62"sv,
        "a\0b"sv,      "\xc3\xa4"sv,
        "["sv,         "[]"sv,
        "[::1"sv,      "[::1]x"sv,
        "[::1]]"sv,    "[[::1]]"sv,
        "[1.2.3.4]"sv, "[::1%eth0]"sv,
        "[::1\0]"sv,   "[::1\0junk]"sv,
        "[v1.a]"sv,    "[:::1]"sv,
        "[12345::]"sv, "::1"sv,
        "a,b:1,"sv,    "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"sv}) {
    EXPECT_FALSE(IsValidAuthority(authority)) << authority;
  }
}

}  // namespace
}  // namespace sluice::http
