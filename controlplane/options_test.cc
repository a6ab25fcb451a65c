#include "controlplane/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/testing_reference.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using Outcome = base::Flags::Outcome;

struct Parsed {
  Outcome outcome;
  ControllerOptions options;
  std::string out, error;
};

Parsed Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sluice-controller");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  Parsed parsed;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  parsed.outcome =
      ParseControllerOptions(static_cast<int>(argv.size()), argv.data(), &parsed.options);
  parsed.out = ::testing::internal::GetCapturedStdout();
  parsed.error = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(ControllerOptionsTest, InsecureIsForThisMachineOnly) {
  EXPECT_EQ(Parse({"--insecure"}).outcome, Outcome::kRun);
  const Parsed parsed = Parse({"--insecure", "--grpc-address", "0.0.0.0:7400"});
  EXPECT_EQ(parsed.outcome, Outcome::kExitUsage);
  EXPECT_THAT(parsed.error, HasSubstr("--insecure is refused on 0.0.0.0:7400"));
}

TEST(ControllerOptionsTest, WithoutAnyFlagTheControllerHasACaOfItsOwn) {
  const Parsed parsed = Parse({"--grpc-address=0.0.0.0:7400", "--tls-name=c.example.com"});
  EXPECT_EQ(parsed.outcome, Outcome::kRun);
  EXPECT_FALSE(parsed.options.insecure);
  EXPECT_EQ(parsed.options.tls_names, std::vector<std::string>{"c.example.com"});
}

TEST(ControllerOptionsTest, RefusesWhatDoesNotFitTogether) {
  for (const auto& [arguments, why] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--insecure", "--tls-name=a"}, "--tls-name is for the certificate that"},
           {{"--tls-name=a b"}, "--tls-name a b: a host name"},
           {{"--node-certificate-ttl=1s"}, "--node-certificate-ttl must lie between"},
           {{"--seal-key-file=a", "--seal-key-command=b"}, "exclude each other"},
           {{"--tls-cert=a"}, "belong together"},
           {{"--insecure", "--tls-cert=a", "--tls-key=b", "--tls-ca=c"}, "exclude each other"},
           {{"--insecure", "--store=etcd"}, "--store etcd"},
           {{"--insecure", "--grpc-address=controller:7400"}, "--grpc-address controller:7400"},
           {{"--insecure", "--admin-address=here"}, "--admin-address here"},
           {{"--insecure", "--report-interval=1ms"}, "--report-interval at least 10ms"}}) {
    const Parsed parsed = Parse(arguments);
    EXPECT_EQ(parsed.outcome, Outcome::kExitUsage) << why;
    EXPECT_THAT(parsed.error, HasSubstr(why));
  }
}

TEST(ReferenceTest, ControllerFlagsAreCurrent) {
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/sluice-controller.md",
                                                Parse({"--help-markdown"}).out));
}

}  // namespace
}  // namespace sluice
