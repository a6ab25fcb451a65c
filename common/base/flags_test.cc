#include "common/base/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/base/file.h"

namespace sluice::base {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A program with one flag of each kind.
class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() : flags_("sluice-test", "SLUICE_TEST_", "Does nothing.") {
    flags_.Text("data-dir", &text_, "DIR", "Where things are.", "here");
    flags_.List("label", &list_, "NAME=VALUE", "What is known.");
    flags_.Switch("insecure", &on_, "Plain text.");
    flags_.Number("workers", &number_, 0, 1024, "Threads.");
    flags_.Duration("delay", &delay_, "How long.");
  }
  ~FlagsTest() override {
    for (const std::string& name : environment_) unsetenv(name.c_str());
    if (!file_.empty()) std::filesystem::remove(file_);
  }

  void SetEnvironment(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    environment_.push_back(name);
  }
  std::string WriteFile(const std::string& text) {
    file_ = ::testing::TempDir() + "flags_test." + std::to_string(getpid());
    EXPECT_TRUE(WriteFileAtomically(file_, text, 0600).ok());
    return file_;
  }
  Flags::Outcome Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "sluice-test");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const Flags::Outcome outcome = flags_.Parse(static_cast<int>(argv.size()), argv.data());
    out_ = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    return outcome;
  }
  void ExpectRefused(const std::vector<std::string>& arguments, const std::string& why) {
    EXPECT_EQ(Parse(arguments), Flags::Outcome::kExitUsage);
    EXPECT_THAT(error_, HasSubstr(why));
  }

  std::string text_ = "./data";
  std::vector<std::string> list_;
  bool on_ = false;
  int number_ = 2;
  milliseconds delay_{500};
  Flags flags_;
  std::string out_, error_;

 private:
  std::vector<std::string> environment_;
  std::string file_;
};

TEST_F(FlagsTest, KeepsDefaultsWhenNothingIsGiven) {
  EXPECT_EQ(Parse({}), Flags::Outcome::kRun);
  EXPECT_EQ(text_, "./data");
  EXPECT_EQ(number_, 2);
  EXPECT_FALSE(on_);
}

TEST_F(FlagsTest, TakesEveryKindInBothSpellings) {
  EXPECT_EQ(Parse({"--data-dir", "/var", "--label=a=1", "--label", "b=2", "--insecure",
                   "--workers=7", "--delay", "2m"}),
            Flags::Outcome::kRun);
  EXPECT_EQ(text_, "/var");
  EXPECT_THAT(list_, ElementsAre("a=1", "b=2"));
  EXPECT_TRUE(on_);
  EXPECT_EQ(number_, 7);
  EXPECT_EQ(delay_, milliseconds(120'000));
}

TEST_F(FlagsTest, CommandLineWinsOverEnvironmentAndThatOverTheFile) {
  SetEnvironment("SLUICE_TEST_WORKERS", "3");
  SetEnvironment("SLUICE_TEST_DELAY", "3s");
  SetEnvironment("SLUICE_TEST_LABEL", "x=1,y=2");
  const std::string file =
      WriteFile("# comment\nworkers: 4\ndelay: 4s\ndata-dir: '/from/file'\ninsecure: true\n");
  EXPECT_EQ(Parse({"--workers", "5", "--bootstrap", file}), Flags::Outcome::kRun);
  EXPECT_EQ(number_, 5);
  EXPECT_EQ(delay_, milliseconds(3000));
  EXPECT_EQ(text_, "/from/file");
  EXPECT_TRUE(on_);
  EXPECT_THAT(list_, ElementsAre("x=1", "y=2"));
}

TEST_F(FlagsTest, RefusesWhatItDoesNotUnderstandAndSaysWhatItWould) {
  ExpectRefused({"--worker", "1"}, "did you mean --workers?");
  ExpectRefused({"--zzz"}, "--help lists the flags");
  ExpectRefused({"positional"}, "takes flags only");
  ExpectRefused({"--workers"}, "--workers needs a value");
  ExpectRefused({"--workers", "1025"}, "no whole number from 0 to 1024");
  ExpectRefused({"--workers", "1x"}, "--workers: \"1x\"");
  ExpectRefused({"--delay", "5"}, "write a number and a unit");
  ExpectRefused({"--insecure=perhaps"}, "neither true nor false");
}

TEST_F(FlagsTest, NamesThePlaceOfAMistakeOutsideTheCommandLine) {
  const std::string file = WriteFile("workers: 1\n\nworker: 2\n");
  ExpectRefused({"--bootstrap", file}, file + ":3: --worker is not known");
  ExpectRefused({"--bootstrap", WriteFile("workers 1\n")}, ":1: expected \"flag: value\"");
  ExpectRefused({"--bootstrap", WriteFile("data-dir: a\ndata-dir: b\n")}, "was given already");
  ExpectRefused({"--bootstrap", "/nonexistent/file"}, "/nonexistent/file");
}

TEST_F(FlagsTest, NamesTheVariableOfAMistakeInTheEnvironment) {
  SetEnvironment("SLUICE_TEST_WORKERS", "many");
  ExpectRefused({}, "SLUICE_TEST_WORKERS: \"many\"");
}

TEST_F(FlagsTest, HelpAndReferenceNameEveryFlagWithItsDefault) {
  EXPECT_EQ(Parse({"--help"}), Flags::Outcome::kExitOk);
  EXPECT_THAT(out_, HasSubstr("--workers N"));
  EXPECT_THAT(out_, HasSubstr("(default 500ms)"));
  EXPECT_THAT(flags_.Markdown(), HasSubstr("| `here` | Where things are. |"));
  EXPECT_THAT(flags_.Markdown(),
              HasSubstr("| `--delay DURATION` | `SLUICE_TEST_DELAY` | `500ms` | How long. |"));
  EXPECT_EQ(Parse({"--version"}), Flags::Outcome::kExitOk);
  EXPECT_THAT(out_, HasSubstr("sluice-test "));
}

TEST(ParseDurationTest, TakesANumberWithAUnit) {
  milliseconds parsed{0};
  for (const auto& [text, wanted] : {std::pair{"250ms", 250}, {"5s", 5000}, {"1h", 3'600'000}}) {
    EXPECT_TRUE(ParseDuration(text, &parsed).ok()) << text;
    EXPECT_EQ(parsed.count(), wanted);
  }
  for (const char* text : {"", "5", "-1s", "1 s", "1d", "99999999999h", "s"}) {
    EXPECT_FALSE(ParseDuration(text, &parsed).ok()) << text;
  }
}

}  // namespace
}  // namespace sluice::base
