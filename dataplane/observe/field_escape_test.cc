#include "dataplane/observe/field_escape.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace sluice::observe {
namespace {

std::string Json(std::string_view text) {
  std::vector<char> out(text.size() * kEscapedBytesMax);
  return {out.data(), EscapeJson(text, out.data())};
}

std::string Text(std::string_view text) {
  std::vector<char> out(text.size() * kEscapedBytesMax);
  return {out.data(), EscapeText(text, out.data())};
}

TEST(EscapeJsonTest, EveryByteAloneAndInEveryPlaceOfAWordMakesValidJson) {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t place = 0; place < 20; ++place) {
      std::string text(20, 'a');
      text[place] = static_cast<char>(byte);
      const std::string escaped = Json(text);
      const auto parsed = nlohmann::json::parse("\"" + escaped + "\"", nullptr, false);
      ASSERT_FALSE(parsed.is_discarded()) << byte << " at " << place << ": " << escaped;
      if (byte < 0x80) {
        EXPECT_EQ(parsed.get<std::string>(), text);
      }
      if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
        EXPECT_EQ(escaped, text);
      }
    }
  }
}

TEST(EscapeJsonTest, WritesWhatPeopleExpect) {
  EXPECT_EQ(Json("a\"b\\c\nd\re\tf"), "a\\\"b\\\\c\\nd\\re\\tf");
  EXPECT_EQ(Json(std::string_view("\0\x1b\x7f", 3)), "\\u0000\\u001b\\u007f");
  EXPECT_EQ(Json(""), "");
}

TEST(EscapeJsonTest, KeepsValidUtf8AndEscapesWhatIsNot) {
  const std::string valid = "路由 é 😀 \xc2\xa0 \xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf";
  EXPECT_EQ(Json(valid), valid);
  EXPECT_EQ(Json("\xff"), "\\u00ff");
  EXPECT_EQ(Json("\xc0\xaf"), "\\u00c0\\u00af");                        // Overlong.
  EXPECT_EQ(Json("\xe0\x80\xaf"), "\\u00e0\\u0080\\u00af");             // Overlong.
  EXPECT_EQ(Json("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080");             // Surrogate.
  EXPECT_EQ(Json("\xf4\x90\x80\x80"), "\\u00f4\\u0090\\u0080\\u0080");  // Beyond Unicode.
  EXPECT_EQ(Json("\xf8\x88\x80\x80\x80"), "\\u00f8\\u0088\\u0080\\u0080\\u0080");
  EXPECT_EQ(Json("\xe8\xb7"), "\\u00e8\\u00b7");  // Cut short.
  EXPECT_EQ(Json("\xe8\xb7z"), "\\u00e8\\u00b7z");
  EXPECT_EQ(Json("\xc2\x9b"), "\\u00c2\\u009b");  // C1: moves terminals.
}

TEST(EscapeJsonTest, RandomBytesAlwaysMakeValidJsonWithinTheBound) {
  constexpr unsigned kSeed = 12345;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 64, '\0');
    const uint32_t range = i % 2 == 0 ? 256 : 8;  // Half of them near the edges of UTF-8.
    const int base = i % 2 == 0 ? 0 : 0xbc + static_cast<int>(random() % 60);
    for (char& c : text) c = static_cast<char>(base + static_cast<int>(random() % range));
    const std::string escaped = Json(text);
    ASSERT_LE(escaped.size(), text.size() * kEscapedBytesMax);
    ASSERT_TRUE(nlohmann::json::accept("\"" + escaped + "\"")) << "seed " << kSeed << ", " << i;
  }
}

TEST(EscapeTextTest, IsPrintableAsciiWithoutQuotes) {
  EXPECT_EQ(Text("GET /a"), "GET /a");
  EXPECT_EQ(Text("a\"b\\c\n\xc3\xa9"), "a\\x22b\\x5cc\\x0a\\xc3\\xa9");
}

}  // namespace
}  // namespace sluice::observe
