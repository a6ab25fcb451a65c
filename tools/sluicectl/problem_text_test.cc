#include "tools/sluicectl/problem_text.h"

#include <gtest/gtest.h>

namespace sluice::sluicectl {
namespace {

v1::Document DocumentOf(const std::string& content) {
  v1::Document document;
  v1::SourceFile* file = document.add_files();
  file->set_path("a.yaml");
  file->set_content(content);
  return document;
}

v1::Problem ProblemAt(uint32_t line, uint32_t column) {
  v1::Problem problem;
  problem.set_file("a.yaml");
  problem.set_line(line);
  problem.set_column(column);
  problem.set_path("services[0].name");
  problem.set_message("must not be empty");
  return problem;
}

std::string Rendered(const v1::Problem& problem, const v1::Document& document) {
  const SourceLines lines(document);
  Text text;
  AppendProblem(&text, problem, &lines);
  return text.Render(false);
}

TEST(ProblemTextTest, PutsTheCaretUnderTheColumn) {
  EXPECT_EQ(Rendered(ProblemAt(2, 5), DocumentOf("services:\r\n  - name: ''\r\n")),
            "a.yaml:2:5: error: services[0].name: must not be empty\n"
            "    2 |   - name: ''\n"
            "            ^\n");
}

TEST(ProblemTextTest, CaretAccountsForTabsAndWideCharacters) {
  EXPECT_EQ(Rendered(ProblemAt(1, 5), DocumentOf("\t路x")),
            "a.yaml:1:5: error: services[0].name: must not be empty\n"
            "    1 |  路x\n"
            "           ^\n");
}

TEST(ProblemTextTest, LeavesOutWhatIsNotKnown) {
  v1::Problem problem;
  problem.set_severity(v1::Problem::WARNING);
  problem.set_file("a.yaml");
  problem.set_message("no routes");
  EXPECT_EQ(Rendered(problem, DocumentOf("x")), "a.yaml: warning: no routes\n");
  problem.clear_file();
  EXPECT_EQ(Rendered(problem, DocumentOf("x")), "warning: no routes\n");
}

TEST(ProblemTextTest, SurvivesPlacesThatAreNotThere) {
  EXPECT_EQ(Rendered(ProblemAt(9, 1), DocumentOf("x\n")),
            "a.yaml:9:1: error: services[0].name: must not be empty\n");
  const std::string beyond = Rendered(ProblemAt(1, 4'000'000'000u), DocumentOf("x\n"));
  EXPECT_NE(beyond.find("    1 | x\n         ^\n"), std::string::npos) << beyond;
}

TEST(ProblemTextTest, CutsLongLinesAroundTheColumn) {
  const std::string text = Rendered(ProblemAt(1, 5000), DocumentOf(std::string(10'000, 'x')));
  EXPECT_LT(text.size(), 500u);
  EXPECT_NE(text.find('^'), std::string::npos);
}

TEST(ProblemTextTest, FileContentCannotDriveTheTerminal) {
  const std::string text = Rendered(ProblemAt(1, 1), DocumentOf("name: \x1b]0;owned\x07\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("\\x1b]0;owned\\x07"), std::string::npos);
}

TEST(ParsePlaceTest, TakesPathsWithColonsAndRefusesTheRest) {
  v1::Problem place;
  ASSERT_TRUE(ParsePlace("c:/a.yaml:31:17", &place));
  EXPECT_EQ(place.file(), "c:/a.yaml");
  EXPECT_EQ(place.line(), 31u);
  EXPECT_EQ(place.column(), 17u);
  for (const char* bad :
       {"", "a.yaml", "a.yaml:3", ":1:2", "a:b:c", "a:1:", "a::1", "a:1:99999999999"}) {
    EXPECT_FALSE(ParsePlace(bad, &place)) << bad;
  }
}

}  // namespace
}  // namespace sluice::sluicectl
