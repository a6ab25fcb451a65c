#include "tools/sluicectl/table.h"

#include <gtest/gtest.h>

namespace sluice::sluicectl {
namespace {

TEST(TableTest, AlignsColumnsByWidthOnScreen) {
  Table table({"NAME", "STATE", "AGE"});
  table.AddRow({"edge-1", "synced", "3m12s"});
  table.AddRow({"路由", "updating", ""});
  EXPECT_EQ(table.ToText().Render(false),
            "NAME     STATE      AGE\n"
            "edge-1   synced     3m12s\n"
            "路由     updating   -\n");
}

TEST(TableTest, WideAddsColumns) {
  for (const bool wide : {false, true}) {
    Table table({"A", "B"}, {.wide = wide, .wide_from = 1});
    table.AddRow({"1", "2"});
    EXPECT_EQ(table.ToText().Render(false), wide ? "A   B\n1   2\n" : "A\n1\n");
  }
}

TEST(TableTest, CellsCannotBreakTheTable) {
  Table table({"A", "B"});
  table.AddRow({"x\ny\x1b[2J", "z"});
  EXPECT_EQ(table.ToText().Render(true),
            "\x1b[1mA\x1b[0m             \x1b[1mB\x1b[0m\n"
            "x\\ny\\x1b[2J   z\n");
}

}  // namespace
}  // namespace sluice::sluicectl
