#include "common/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace sluice::base {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

// Standard error between construction and Take, with everything queued written out.
class Captured {
 public:
  Captured() { testing::internal::CaptureStderr(); }
  std::string Take() {
    ShutdownLog();
    return testing::internal::GetCapturedStderr();
  }
};

TEST(LogTest, JsonLinesCarryTimeLevelProgramAndMessage) {
  Captured captured;
  ASSERT_TRUE(InitLog("sluice-test", "info", "json").ok());
  LogWarn("node {} is {}", 7, "gone");
  EXPECT_THAT(captured.Take(),
              MatchesRegex("\\{\"time\":\"[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z\","
                           "\"level\":\"warn\",\"program\":\"sluice-test\","
                           "\"msg\":\"node 7 is gone\"\\}\n"));
}

TEST(LogTest, KeepsTheLastProblemsAndNothingElse) {
  Captured captured;
  ASSERT_TRUE(InitLog("p", "info", "json").ok());
  for (size_t i = 0; i < kLogProblemsKept; ++i) LogError("problem {}", i);
  LogInfo("no problem");
  LogWarn("one\nmore");
  captured.Take();
  const std::vector<std::string> problems = RecentLogProblems();
  ASSERT_EQ(problems.size(), kLogProblemsKept);
  EXPECT_THAT(problems.front(), HasSubstr("error problem 1"));
  EXPECT_THAT(problems.back(), HasSubstr("warn  one\\nmore"));
}

TEST(LogTest, HostileMessagesCannotForgeALine) {
  Captured captured;
  ASSERT_TRUE(InitLog("p", "info", "json").ok());
  LogInfo("{}", "x\"}\n{\"level\":\"error\"\xff");
  EXPECT_THAT(captured.Take(), HasSubstr("x\\\"}\\n{\\\"level\\\":\\\"error\\\"\xEF\xBF\xBD\"}\n"));

  Captured text;
  ASSERT_TRUE(InitLog("p", "info", "text").ok());
  LogInfo("{}", "x\n2026 error forged");
  EXPECT_THAT(text.Take(), HasSubstr("info  x\\n2026 error forged\n"));
}

TEST(LogTest, LevelDecidesWhatIsWritten) {
  Captured captured;
  ASSERT_TRUE(InitLog("p", "warn", "text").ok());
  LogInfo("hidden");
  LogError("shown");
  ASSERT_TRUE(SetLogLevel("debug").ok());
  EXPECT_EQ(CurrentLogLevel(), "debug");
  LogDebug("now too");
  LogTrace("not this");
  ASSERT_TRUE(SetLogLevel("off").ok());
  LogError("never");
  const std::string lines = captured.Take();
  EXPECT_THAT(lines, HasSubstr("shown"));
  EXPECT_THAT(lines, HasSubstr("now too"));
  EXPECT_THAT(lines, Not(HasSubstr("hidden")));
  EXPECT_THAT(lines, Not(HasSubstr("not this")));
  EXPECT_THAT(lines, Not(HasSubstr("never")));
}

TEST(LogTest, UnknownWordsAreRefusedAndChangeNothing) {
  ASSERT_TRUE(SetLogLevel("info").ok());
  EXPECT_FALSE(SetLogLevel("loud").ok());
  EXPECT_FALSE(InitLog("p", "loud", "json").ok());
  EXPECT_FALSE(InitLog("p", "info", "xml").ok());
  EXPECT_EQ(CurrentLogLevel(), "info");
}

TEST(LogTest, WorksBeforeInitAndAfterShutdown) {
  Captured captured;
  ShutdownLog();
  LogWarn("early {}", 1);
  EXPECT_THAT(captured.Take(), HasSubstr("early 1\n"));
}

TEST(LogTest, ManyThreadsLoseNothingWithoutItBeingCounted) {
  constexpr int kThreads = 4;
  constexpr int kLines = 5000;
  Captured captured;
  const uint64_t dropped_before = LogLinesDropped();
  ASSERT_TRUE(InitLog("p", "info", "text").ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < kLines; ++i) LogInfo("thread {} line {}", t, i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t dropped = LogLinesDropped() - dropped_before;
  const std::string lines = captured.Take();
  const auto written = static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
  EXPECT_EQ(written + dropped, uint64_t{kThreads} * kLines);
  EXPECT_EQ(LogLinesDropped() - dropped_before, dropped);  // Kept when the pool is gone.
}

}  // namespace
}  // namespace sluice::base
