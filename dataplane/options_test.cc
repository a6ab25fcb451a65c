#include "dataplane/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "common/base/testing_reference.h"

namespace sluice {
namespace {

using Outcome = base::Flags::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Parsed {
  Outcome outcome;
  ProxyOptions options;
  std::string out, error;
};

Parsed Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sluice-proxy");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Parsed parsed;
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  parsed.outcome =
      ParseProxyOptions(static_cast<int>(argv.size()) - 1, argv.data(), &parsed.options);
  parsed.out = ::testing::internal::GetCapturedStdout();
  parsed.error = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(ProxyOptionsTest, EveryControllerOfEveryFlagIsTaken) {
  const Parsed parsed = Parse({"--insecure", "--controller", "127.0.0.1:1,localhost:2",
                               "--controller=[::1]:3", "--label", "zone=a", "--label=rack=b=c"});
  ASSERT_EQ(parsed.outcome, Outcome::kRun) << parsed.error;
  EXPECT_THAT(parsed.options.controllers, ElementsAre("127.0.0.1:1", "localhost:2", "[::1]:3"));
  EXPECT_EQ(parsed.options.labels.at("zone"), "a");
  EXPECT_EQ(parsed.options.labels.at("rack"), "b=c");
  EXPECT_NE(parsed.options.node_id, "");
}

TEST(ProxyOptionsTest, PlainTextIsForLoopbackOnly) {
  for (const char* controller : {"10.0.0.1:7400", "controller.example:7400", "0.0.0.0:7400"}) {
    const Parsed parsed = Parse({"--insecure", "--controller", controller});
    EXPECT_EQ(parsed.outcome, Outcome::kExitUsage) << controller;
    EXPECT_THAT(parsed.error, HasSubstr("--insecure"));
    EXPECT_THAT(parsed.error, HasSubstr("--tls-cert"));
  }
}

TEST(ProxyOptionsTest, WithoutInsecureTheTlsFilesAreNeeded) {
  const Parsed parsed = Parse({"--controller", "127.0.0.1:1", "--tls-cert", "c", "--tls-key", "k"});
  EXPECT_EQ(parsed.outcome, Outcome::kExitUsage);
  EXPECT_THAT(parsed.error, HasSubstr("--tls-ca"));
  EXPECT_EQ(
      Parse({"--controller", "10.0.0.1:1", "--tls-cert", "c", "--tls-key", "k", "--tls-ca", "a"})
          .outcome,
      Outcome::kRun);
  EXPECT_EQ(Parse({}).outcome, Outcome::kRun) << "the cached snapshot may be enough";
}

TEST(ProxyOptionsTest, NonsenseIsRefused) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--bind-host", "localhost"},
                                             {"--label", "nothing"},
                                             {"--label", "=x"},
                                             {"--workers", "-1"},
                                             {"--insecure", "--controller", "nonsense"},
                                             {"--node-id", ""},
                                             {"--reconnect-min", "5s", "--reconnect-max", "1s"},
                                             {"--insecure", "--join-token-file", "f"}}) {
    const Parsed parsed = Parse(arguments);
    EXPECT_EQ(parsed.outcome, Outcome::kExitUsage) << arguments[0];
    EXPECT_NE(parsed.error, "");
  }
}

TEST(ProxyOptionsTest, LogFlagsWinOnlyWhenGiven) {
  const Parsed without = Parse({});
  EXPECT_EQ(without.options.log_level, "info");
  EXPECT_FALSE(without.options.keep_log_level || without.options.keep_log_format);
  const Parsed with = Parse({"--log-level", "debug", "--log-format", "json"});
  EXPECT_EQ(with.options.log_level, "debug");
  EXPECT_EQ(with.options.log_format, "json");
  EXPECT_TRUE(with.options.keep_log_level && with.options.keep_log_format);
}

TEST(ProxyOptionsTest, EnvironmentFillsWhatTheCommandLineLeaves) {
  setenv("SLUICE_PROXY_NODE_ID", "from-environment", 1);
  setenv("SLUICE_PROXY_BIND_HOST", "127.0.0.7", 1);
  const Parsed parsed = Parse({"--node-id", "from-flag"});
  unsetenv("SLUICE_PROXY_NODE_ID");
  unsetenv("SLUICE_PROXY_BIND_HOST");
  EXPECT_EQ(parsed.options.node_id, "from-flag");
  EXPECT_EQ(parsed.options.bind_host, "127.0.0.7");
}

TEST(ProxyOptionsTest, HelpAndVersionEndWell) {
  for (const char* flag : {"--help", "--version", "--help-markdown"}) {
    EXPECT_EQ(Parse({flag}).outcome, Outcome::kExitOk) << flag;
  }
}

TEST(ReferenceTest, ProxyFlagsAreCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/sluice-proxy.md",
                                                Parse({"--help-markdown"}).out));
}

}  // namespace
}  // namespace sluice
