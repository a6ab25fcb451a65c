#include "tools/fleetsim/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/testing_reference.h"

namespace sluice::fleetsim {
namespace {

using ::testing::HasSubstr;
using Outcome = base::Flags::Outcome;

struct Parsed {
  Outcome outcome;
  SimOptions options;
  std::string out, error;
};

Parsed Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "fleetsim");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  Parsed parsed;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  parsed.outcome = ParseSimOptions(static_cast<int>(argv.size()), argv.data(), &parsed.options);
  parsed.out = ::testing::internal::GetCapturedStdout();
  parsed.error = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(SimOptionsTest, ReadsControllersAndLabels) {
  const Parsed parsed = Parse({"--insecure", "--controller=127.0.0.1:1,127.0.0.1:2",
                               "--label=zone=a,b", "--label=kind=edge", "--decode=shared"});
  ASSERT_EQ(parsed.outcome, Outcome::kRun) << parsed.error;
  EXPECT_EQ(parsed.options.controllers.size(), 2u);
  EXPECT_FALSE(parsed.options.decode_each);
  EXPECT_EQ(LabelsOf(parsed.options, 0)["zone"], "a");
  EXPECT_EQ(LabelsOf(parsed.options, 3)["zone"], "b");
  EXPECT_EQ(LabelsOf(parsed.options, 3)["kind"], "edge");
}

TEST(SimOptionsTest, RefusesWhatDoesNotFitTogether) {
  for (const auto& [arguments, why] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "or --insecure"},
           {{"--insecure", "--controller="}, "must not be empty"},
           {{"--insecure", "--controller=nowhere"}, "--controller nowhere"},
           {{"--insecure", "--controller=10.0.0.1:7400"}, "plain text is for loopback only"},
           {{"--insecure", "--label=zone"}, "--label zone"},
           {{"--insecure", "--decode=some"}, "--decode some"},
           {{"--insecure", "--nodes=10", "--slow=6", "--silent=5"}, "more than --nodes"},
           {{"--insecure", "--reconnect-min=2s", "--reconnect-max=1s"}, "--reconnect-min"},
           {{"--insecure", "--flap-interval=0s"}, "--flap-interval"}}) {
    const Parsed parsed = Parse(arguments);
    EXPECT_EQ(parsed.outcome, Outcome::kExitUsage) << why;
    EXPECT_THAT(parsed.error, HasSubstr(why));
  }
}

TEST(SimOptionsTest, TheSeedDecidesWhoMisbehaves) {
  SimOptions options;
  options.nodes = 100;
  options.slow = 10;
  options.rejecting = 3;
  const std::vector<Conduct> dealt = DealConduct(options);
  EXPECT_EQ(std::count(dealt.begin(), dealt.end(), Conduct::kSlow), 10);
  EXPECT_EQ(std::count(dealt.begin(), dealt.end(), Conduct::kRejecting), 3);
  EXPECT_EQ(std::count(dealt.begin(), dealt.end(), Conduct::kGood), 87);
  EXPECT_EQ(DealConduct(options), dealt);
  options.seed = 2;
  EXPECT_NE(DealConduct(options), dealt);
}

TEST(ReferenceTest, FleetsimFlagsAreCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/fleetsim.md",
                                                Parse({"--help-markdown"}).out));
}

}  // namespace
}  // namespace sluice::fleetsim
