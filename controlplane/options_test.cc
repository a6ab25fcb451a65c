#include "controlplane/options.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>

namespace sluice {
namespace {

using Outcome = base::Flags::Outcome;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Parsed {
  Outcome outcome;
  ControllerOptions options;
  std::string out, error;
};

Parsed Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sluice-controller");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Parsed parsed;
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  parsed.outcome =
      ParseControllerOptions(static_cast<int>(argv.size()) - 1, argv.data(), &parsed.options);
  parsed.out = ::testing::internal::GetCapturedStdout();
  parsed.error = ::testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(ControllerOptionsTest, DefaultsNeedOnlyInsecure) {
  const Parsed parsed = Parse({"--insecure"});
  ASSERT_EQ(parsed.outcome, Outcome::kRun) << parsed.error;
  EXPECT_EQ(parsed.options.grpc_address, "127.0.0.1:7400");
  EXPECT_EQ(parsed.options.admin_address, "127.0.0.1:7401");
  EXPECT_EQ(parsed.options.store, "sqlite");
  EXPECT_EQ(parsed.options.prepare_timeout, std::chrono::seconds(10));
}

TEST(ControllerOptionsTest, WithoutTlsItSaysThatInsecureIsNeeded) {
  const Parsed parsed = Parse({});
  EXPECT_EQ(parsed.outcome, Outcome::kExitUsage);
  EXPECT_THAT(parsed.error, AllOf(HasSubstr("--insecure"), HasSubstr("--tls-cert")));
}

TEST(ControllerOptionsTest, PlainTextIsForLoopbackOnly) {
  for (const char* address : {"0.0.0.0:7400", "10.0.0.1:7400", "[::]:7400"}) {
    const Parsed parsed = Parse({"--insecure", "--grpc-address", address});
    EXPECT_EQ(parsed.outcome, Outcome::kExitUsage) << address;
    EXPECT_THAT(parsed.error, HasSubstr("loopback"));
  }
  EXPECT_EQ(Parse({"--insecure", "--grpc-address=[::1]:0"}).outcome, Outcome::kRun);
}

TEST(ControllerOptionsTest, TlsFilesBelongTogether) {
  EXPECT_THAT(Parse({"--tls-cert", "a", "--tls-key", "b"}).error, HasSubstr("--tls-ca"));
  EXPECT_EQ(
      Parse({"--tls-cert=a", "--tls-key=b", "--tls-ca=c", "--grpc-address=0.0.0.0:1"}).outcome,
      Outcome::kRun);
  EXPECT_THAT(Parse({"--insecure", "--tls-cert=a", "--tls-key=b", "--tls-ca=c"}).error,
              HasSubstr("exclude"));
}

TEST(ControllerOptionsTest, OtherStoresAreRefusedByName) {
  const Parsed parsed = Parse({"--insecure", "--store", "etcd://127.0.0.1:2379"});
  EXPECT_EQ(parsed.outcome, Outcome::kExitUsage);
  EXPECT_THAT(parsed.error, AllOf(HasSubstr("etcd://127.0.0.1:2379"), HasSubstr("sqlite")));
}

TEST(ControllerOptionsTest, BadAddressesAreRefusedBeforeAnythingStarts) {
  EXPECT_THAT(Parse({"--insecure", "--grpc-address", "here"}).error, HasSubstr("--grpc-address"));
  EXPECT_THAT(Parse({"--insecure", "--admin-address", "here"}).error, HasSubstr("--admin-address"));
  EXPECT_EQ(Parse({"--insecure", "--admin-address="}).outcome, Outcome::kRun);
}

TEST(ControllerOptionsTest, UnknownFlagsSuggestTheNearest) {
  EXPECT_THAT(Parse({"--insecure", "--data-dri", "x"}).error, HasSubstr("--data-dir"));
}

TEST(ControllerOptionsTest, TheLineWinsOverTheEnvironmentAndThatOverTheFile) {
  const std::string path = ::testing::TempDir() + "/controller-bootstrap.yaml";
  std::ofstream(path) << "# comment\ninsecure: true\ndata-dir: '/from/file'\nlog-level: warn\n"
                         "prepare-timeout: 7s\n";
  setenv("SLUICE_CONTROLLER_DATA_DIR", "/from/environment", 1);
  setenv("SLUICE_CONTROLLER_LOG_LEVEL", "error", 1);
  const Parsed parsed = Parse({"--bootstrap", path, "--log-level", "debug"});
  unsetenv("SLUICE_CONTROLLER_DATA_DIR");
  unsetenv("SLUICE_CONTROLLER_LOG_LEVEL");
  ASSERT_EQ(parsed.outcome, Outcome::kRun) << parsed.error;
  EXPECT_TRUE(parsed.options.insecure);
  EXPECT_EQ(parsed.options.log_level, "debug");
  EXPECT_EQ(parsed.options.data_dir, "/from/environment");
  EXPECT_EQ(parsed.options.prepare_timeout, std::chrono::seconds(7));
}

TEST(ControllerOptionsTest, HelpVersionAndTheReferenceListEveryFlag) {
  EXPECT_EQ(Parse({"--version"}).outcome, Outcome::kExitOk);
  const Parsed help = Parse({"--help"}), table = Parse({"--help-markdown"});
  for (const char* flag : {"config", "data-dir", "grpc-address", "admin-address", "store",
                           "insecure", "tls-cert", "tls-key", "tls-ca", "prepare-timeout",
                           "report-interval", "log-level", "log-format", "bootstrap"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("--") + flag));
    EXPECT_THAT(table.out, HasSubstr(std::string("`--") + flag));
  }
}

}  // namespace
}  // namespace sluice
