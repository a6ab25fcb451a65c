#include "common/base/escape.h"

#include <gtest/gtest.h>

#include "common/base/utf8.h"

namespace sluice::base {
namespace {

std::string Json(std::string_view text) {
  std::string out;
  AppendJsonEscaped(&out, text);
  return out;
}

std::string Plain(std::string_view text) {
  std::string out;
  AppendPlainEscaped(&out, text);
  return out;
}

TEST(EscapeTest, JsonEscapesWhatRfc8259Demands) {
  EXPECT_EQ(Json("plain"), "plain");
  EXPECT_EQ(Json("a\"b\\c"), "a\\\"b\\\\c");
  EXPECT_EQ(Json("\n\r\t"), "\\n\\r\\t");
  EXPECT_EQ(Json(std::string_view("\0\x1f\x7f", 3)), "\\u0000\\u001f\\u007f");
  EXPECT_EQ(Json("中文"), "中文");
}

TEST(EscapeTest, JsonReplacesWhatIsNotUtf8) {
  EXPECT_EQ(Json("a\xff"
                 "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(Json("\xc0\xae"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(Json("\xe4\xb8"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(EscapeTest, PlainTextStaysOnItsLine) {
  EXPECT_EQ(Plain("a\nb\x1b[31m\xff"), "a\\nb\\x1b[31m\\xff");
  EXPECT_EQ(Plain("中文 \"x\""), "中文 \"x\"");
}

TEST(Utf8Test, AcceptsEveryEdgeOfTheRanges) {
  for (const char* text : {"a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Utf8Length(text), std::string_view(text).size());
  }
}

TEST(Utf8Test, RefusesOverlongSurrogatesAndTruncation) {
  for (const char* text : {"", "\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2\x41",
                           "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe4\xb8", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xff"}) {
    EXPECT_EQ(Utf8Length(text), 0u);
  }
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a中b"));
  EXPECT_FALSE(IsUtf8("a中b\xe4"));
}

}  // namespace
}  // namespace sluice::base
