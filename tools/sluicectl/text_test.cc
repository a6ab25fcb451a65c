#include "tools/sluicectl/text.h"

#include <gtest/gtest.h>

namespace sluice::sluicectl {
namespace {

TEST(EscapeForTerminalTest, MakesEveryControlByteVisible) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string escaped = EscapeForTerminal(std::string(1, static_cast<char>(byte)));
    for (const char c : escaped) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << byte;
      EXPECT_LT(static_cast<unsigned char>(c), 0x7F) << byte;
    }
  }
}

TEST(EscapeForTerminalTest, ShowsC1ControlsAndDirectionMarks) {
  EXPECT_EQ(EscapeForTerminal("a\xC2\x9B"
                              "31mb"),
            "a\\u009b31mb");
  EXPECT_EQ(EscapeForTerminal("\xE2\x80\xAE"
                              "txt.exe"),
            "\\u202etxt.exe");
  EXPECT_EQ(EscapeForTerminal("\xE2\x81\xA6x"), "\\u2066x");
}

TEST(EscapeForTerminalTest, KeepsOrdinaryTextOfAnyScript) {
  EXPECT_EQ(EscapeForTerminal("路由 é 😀 ok"), "路由 é 😀 ok");
}

TEST(DisplayWidthTest, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("路由"), 4u);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1u);
}

TEST(CutToWidthTest, NeverCutsACharacter) {
  EXPECT_EQ(CutToWidth("路由", 3), "路");
  EXPECT_EQ(CutToWidth("abc", 2), "ab");
  EXPECT_EQ(CutToWidth("abc", 9), "abc");
}

TEST(TextTest, WritesColoursOnlyWhenAsked) {
  Text text;
  text.Add("bad", Style::kRed).Add(" news").EndLine();
  EXPECT_EQ(text.Render(false), "bad news\n");
  EXPECT_EQ(text.Render(true), "\x1b[31mbad\x1b[0m news\n");
}

TEST(TextTest, EscapesNewlinesInsideALine) {
  EXPECT_EQ(Text().Line("a\nb").Render(false), "a\\nb\n");
}

TEST(TextTest, CutsALineWithoutCuttingItsColours) {
  Text text;
  text.Add("abc", Style::kGreen).Add("def", Style::kRed);
  EXPECT_EQ(text.RenderLine(0, true, 4), "\x1b[32mabc\x1b[0m\x1b[31md\x1b[0m");
}

}  // namespace
}  // namespace sluice::sluicectl
