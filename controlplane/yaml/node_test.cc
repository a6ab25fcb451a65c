// The tree, and documents made to hurt.
#include "controlplane/yaml/node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "controlplane/yaml/key_table.h"

namespace sluice::yaml {
namespace {

std::string FirstProblem(std::string_view yaml) {
  Problems problems({"t"});
  PreparedText text;
  if (PrepareText(yaml, 0, &text, &problems)) Tree::Parse(text, 0, &problems);
  const auto sorted = problems.Sorted();
  if (sorted.empty()) return "";
  return fmt::format("{}:{}: {}", sorted[0].line(), sorted[0].column(), sorted[0].message());
}

TEST(NodeTest, ValuesKeepTheirPlacesAndTexts) {
  Problems problems({"t"});
  PreparedText text;
  ASSERT_TRUE(PrepareText("a: 'it''s'\nb:\n  - \"x\\ny\"\n  - |\n    z\n", 0, &text, &problems));
  const auto tree = Tree::Parse(text, 0, &problems);
  ASSERT_NE(tree, nullptr);
  const YamlNode a = ValueOf(tree->root(), "a");
  EXPECT_EQ(a.text(), "it's");
  EXPECT_TRUE(a.quoted());
  EXPECT_EQ(a.place(), (Place{0, 1, 4}));
  const YamlNode list = ValueOf(tree->root(), "b");
  const YamlNode first = list.first();
  EXPECT_EQ(first.text(), "x\ny");
  EXPECT_EQ(first.place(), (Place{0, 3, 5}));
  const YamlNode second = first.next_in(list);
  EXPECT_EQ(second.text(), "z\n");
  EXPECT_FALSE(second.next_in(list));
  EXPECT_FALSE(ValueOf(tree->root(), "c"));
}

TEST(NodeTest, DepthIsLimited) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(FirstProblem(nested(30)), "");
  EXPECT_NE(FirstProblem(nested(100)).find("nested too deep"), std::string::npos);
  EXPECT_NE(FirstProblem(nested(10'000)).find("nested too deep"), std::string::npos);
  std::string block;
  for (int i = 0; i < 10'000; ++i) block += std::string(static_cast<size_t>(i % 300), ' ') + "a:\n";
  EXPECT_NE(FirstProblem(block).find("nested too deep"), std::string::npos);
}

TEST(NodeTest, LargeFlowCollectionsAreRefused) {
  std::string flow = "[";
  for (size_t i = 0; i < kFlowIndicatorsMax + 10; ++i) flow += "x,";
  EXPECT_EQ(FirstProblem(flow + "]\n"),
            "1:1: a [..] or {..} from here on is too large (more than 300000 brackets, commas and "
            "colons); write it as an indented list");
}

TEST(NodeTest, OneEndlessValueIsRefused) {
  const std::string endless = "a: " + std::string(kSilentBytesMax + 10'000, 'x') + "\n";
  EXPECT_EQ(FirstProblem(endless), "1:1: more than 8 MiB from here on without a value");
}

TEST(NodeTest, ValuesAreCounted) {
  std::string many;
  many.reserve(kNodesMax * 4);
  for (size_t i = 0; i < kNodesMax; ++i) many += "- a\n";
  EXPECT_EQ(FirstProblem(many).substr(0, 40), "2000000:3: the document has more than 20");
}

TEST(NodeTest, ManyKeysAreComparedQuickly) {
  std::string keys;
  for (int i = 0; i < 200'000; ++i) keys += fmt::format("k{}: 1\n", i);
  EXPECT_EQ(FirstProblem(keys), "");
  EXPECT_EQ(FirstProblem(keys + "k7: 2\n"), "200001:1: key 'k7' is given twice, first at t:8:1");
}

TEST(DurationTest, UnitsAddUp) {
  EXPECT_EQ(ParseDuration("250ms"), 250);
  EXPECT_EQ(ParseDuration("1m30s"), 90'000);
  EXPECT_EQ(ParseDuration("0.25s"), 250);
  EXPECT_EQ(ParseDuration("1h"), 3'600'000);
  EXPECT_EQ(ParseDuration("0s"), 0);
  for (const char* bad : {"", "5", "s", "5 s", "-5s", "5d", "1.s", ".5s", "5s5", "inf", "1e3s",
                          "999999999999h999999999999h", "0.0000001h"}) {
    EXPECT_EQ(ParseDuration(bad), -1) << bad;
  }
}

}  // namespace
}  // namespace sluice::yaml
