#include "tools/sluicectl/command_line.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "common/base/file.h"
#include "common/base/testing_reference.h"
#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Sets a variable for one test.
class ScopedEnvironment {
 public:
  ScopedEnvironment(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~ScopedEnvironment() { ::unsetenv(name_); }

 private:
  const char* const name_;
};

// A port that is bound but not listened on: connecting to it is refused while this lives.
class ClosedPort {
 public:
  ClosedPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0) {
      address_ = "127.0.0.1:" + std::to_string(::ntohs(address.sin_port));
    }
  }
  const std::string& address() const { return address_; }

 private:
  base::UniqueFd socket_;
  std::string address_;
};

TEST(CommandLineTest, WithoutAVerbShowsHelpAndFails) {
  const RunResult result = RunLine({});
  EXPECT_EQ(result.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(result.error, "apply")) << result.error;
}

TEST(CommandLineTest, HelpGoesToStandardOutput) {
  const RunResult root = RunLine({"--help"});
  EXPECT_EQ(root.code, ExitCode::kDone);
  EXPECT_TRUE(Has(root.out, "Exit codes")) << root.out;
  const RunResult verb = RunLine({"apply", "--help"});
  EXPECT_EQ(verb.code, ExitCode::kDone);
  EXPECT_TRUE(Has(verb.out, "--dry-run")) << verb.out;
  EXPECT_FALSE(Has(root.out, "help-markdown"));
}

TEST(CommandLineTest, SuggestsTheVerbThatWasMeant) {
  const RunResult result = RunLine({"aply", "-f", "x.yaml"});
  EXPECT_EQ(result.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(result.error, "unknown verb 'aply'; did you mean 'apply'?")) << result.error;
}

TEST(CommandLineTest, SuggestsSubVerbsFlagsAndKinds) {
  const RunResult sub = RunLine({"node", "drian", "edge-1"});
  EXPECT_EQ(sub.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(sub.error, "did you mean 'drain'?")) << sub.error;
  const RunResult flag = RunLine({"apply", "--wiat"});
  EXPECT_EQ(flag.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(flag.error, "unknown flag '--wiat'; did you mean '--wait'?")) << flag.error;
  const RunResult global = RunLine({"status", "--contoller=x:1"});
  EXPECT_TRUE(Has(global.error, "unknown flag '--contoller'; did you mean '--controller'?"))
      << global.error;
  const RunResult kind = RunLine({"get", "nods"});
  EXPECT_EQ(kind.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(kind.error, "did you mean 'nodes'?")) << kind.error;
}

TEST(CommandLineTest, MissingAndSurplusArgumentsAreUsageErrors) {
  EXPECT_EQ(RunLine({"apply"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"node"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"describe", "node"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"get", "nodes", "surplus"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"diff"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"diff", "-f", "a", "--from", "1"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"get", "nodes", "-o", "xml"}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"apply", "-f", "a", "--if-version", "-1"}).code, ExitCode::kUsage);
  const RunResult duration = RunLine({"apply", "-f", "a", "--timeout", "30"});
  EXPECT_EQ(duration.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(duration.error, "write it as 30s")) << duration.error;
}

TEST(CommandLineTest, UnknownWordsCannotDriveTheTerminal) {
  const RunResult result = RunLine({"\x1b[2J"}, {.terminal = true});
  EXPECT_TRUE(Has(result.error, "\\x1b[2J")) << result.error;
  EXPECT_FALSE(Has(result.error, "\x1b[2J"));
}

TEST(CommandLineTest, WithoutCredentialsSaysWhichFlagToAdd) {
  const RunResult local = RunLine({"status"});
  EXPECT_EQ(local.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(local.error, "add --insecure")) << local.error;
  const RunResult remote = RunLine({"status", "--controller", "192.0.2.1:7400"});
  EXPECT_EQ(remote.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(remote.error, "--tls-ca")) << remote.error;
  EXPECT_FALSE(Has(remote.error, "--insecure")) << remote.error;
}

TEST(CommandLineTest, ChecksCredentialsBeforeConnecting) {
  const TestFolder folder;
  const std::string pem = folder.Write("a.pem", "x");
  const RunResult half = RunLine({"status", "--tls-cert", pem});
  EXPECT_EQ(half.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(half.error, "--tls-cert needs --tls-key")) << half.error;
  const RunResult missing = RunLine({"status", "--tls-ca", folder.path() + "/none.pem"});
  EXPECT_EQ(missing.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(missing.error, "none.pem")) << missing.error;
  EXPECT_EQ(RunLine({"status", "--insecure", "--tls-ca", pem}).code, ExitCode::kUsage);
  EXPECT_EQ(RunLine({"status", "--insecure", "--controller", "nonsense"}).code, ExitCode::kUsage);
}

TEST(CommandLineTest, UnreachableControllerIsExitFourAndNamesTheAddress) {
  const ClosedPort closed;
  for (const std::vector<std::string>& verb : {std::vector<std::string>{"status"},
                                               {"get", "services"},
                                               {"rollback", "--wait"},
                                               {"status", "--watch"}}) {
    std::vector<std::string> arguments = verb;
    arguments.insert(arguments.end(), {"--controller", closed.address(), "--insecure"});
    const RunResult result = RunLine(arguments);
    EXPECT_EQ(result.code, ExitCode::kUnreachable) << verb[0] << result.error;
    EXPECT_TRUE(Has(result.error, closed.address())) << result.error;
    EXPECT_TRUE(Has(result.error, "sluice-controller --config")) << result.error;
    EXPECT_EQ(result.out, "");
  }
}

// The program built beside this test.
std::string ProgramPath() {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename("sluicectl").string();
}

TEST(CommandLineTest, ProgramPassesTheExitCodeOn) {
  const ClosedPort closed;
  const auto run = [](const std::string& arguments) {
    const std::string line = ProgramPath() + " " + arguments + " >/dev/null 2>&1";
    return WEXITSTATUS(std::system(line.c_str()));
  };
  EXPECT_EQ(run("--version"), 0);
  EXPECT_EQ(run("bogus"), 2);
  EXPECT_EQ(run("status --insecure --controller " + closed.address()), 4);
}

TEST(CommandLineTest, VersionDoesNotNeedAController) {
  const ClosedPort closed;
  const RunResult result = RunLine({"version", "--insecure", "--controller", closed.address()});
  EXPECT_EQ(result.code, ExitCode::kDone);
  EXPECT_TRUE(Has(result.out, "sluicectl   ")) << result.out;
  EXPECT_TRUE(Has(result.out, closed.address())) << result.out;
}

v1::FleetStatus StatusOfNothing() { return {}; }

TEST(CommandLineTest, EnvironmentStandsInForFlagsAndFlagsWin) {
  FakeController controller;
  controller.get_status = [](const v1::GetStatusRequest&, v1::FleetStatus* response) {
    *response = StatusOfNothing();
    return grpc::Status::OK;
  };
  const ScopedEnvironment address("SLUICECTL_CONTROLLER", controller.address().c_str());
  const ScopedEnvironment insecure("SLUICECTL_INSECURE", "true");
  const ScopedEnvironment output("SLUICECTL_OUTPUT", "json");
  const RunResult result = RunLine({"get", "nodes"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(result.out, "[]\n");
  EXPECT_TRUE(Has(RunLine({"get", "nodes", "-o", "table"}).out, "No nodes"));
}

TEST(CommandLineTest, ContextFileGivesTheAddress) {
  FakeController controller;
  controller.get_status = [](const v1::GetStatusRequest&, v1::FleetStatus* response) {
    *response = StatusOfNothing();
    return grpc::Status::OK;
  };
  const TestFolder folder;
  const std::string context = folder.Write(
      "context.yaml", "controller: " + controller.address() + "\ninsecure: true\noutput: json\n");
  const RunResult result = RunLine({"get", "nodes", "--context", context});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(result.out, "[]\n");
}

TEST(CommandLineTest, ContextFileErrorsNameTheLine) {
  const TestFolder folder;
  const auto error_of = [&folder](const std::string& content) {
    const RunResult result = RunLine({"status", "--context", folder.Write("c.yaml", content)});
    EXPECT_EQ(result.code, ExitCode::kUsage) << content;
    return result.error;
  };
  EXPECT_TRUE(Has(error_of("insecure: true\ncontroler: a:1\n"),
                  "c.yaml:2:1: unknown key 'controler'; did you mean 'controller'?"));
  EXPECT_TRUE(Has(error_of("insecure: maybe\n"), "c.yaml:1:11: insecure: true or false"));
  EXPECT_TRUE(Has(error_of("- a\n"), "lines expected"));
  EXPECT_TRUE(Has(error_of("a: [\n"), "c.yaml:"));
  EXPECT_TRUE(Has(error_of("controller: {a: b}\n"), "one value expected"));
  const RunResult missing = RunLine({"status", "--context", folder.path() + "/none.yaml"});
  EXPECT_EQ(missing.code, ExitCode::kUsage);
  EXPECT_TRUE(Has(missing.error, "none.yaml")) << missing.error;
}

TEST(ValidateTest, GoodAndBadDocuments) {
  const TestFolder folder;
  const std::string good = folder.Write(
      "good.yaml",
      "services:\n- name: api\n  bind_address: 127.0.0.1:8000\n  routes:\n  - name: all\n"
      "    upstreams:\n    - name: users\n      nodes:\n      - addr: 127.0.0.1:9000\n");
  const RunResult ok = RunLine({"validate", "-f", good});
  EXPECT_EQ(ok.code, ExitCode::kDone) << ok.out << ok.error;
  EXPECT_TRUE(Has(ok.out, "valid: 0 errors")) << ok.out;
  EXPECT_TRUE(Has(ok.out, "0 tests run")) << ok.out;

  const std::string bad = folder.Write("bad.yaml", "# one\nservces: []\n");
  const RunResult refused = RunLine({"validate", "-f", bad});
  EXPECT_EQ(refused.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(refused.out, "bad.yaml:2:1: error: ")) << refused.out;
  EXPECT_TRUE(Has(refused.out, "invalid: ")) << refused.out;
  EXPECT_FALSE(Has(refused.out, "^")) << refused.out;
  EXPECT_TRUE(
      Has(RunLine({"validate", "-f", bad, "-o", "wide"}).out, "    2 | servces: []\n        ^\n"));

  const RunResult json = RunLine({"validate", "-f", bad, "-o", "json"});
  EXPECT_EQ(json.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(json.out, "\"line\": 2")) << json.out;
  EXPECT_EQ(json.out.front(), '[');
}

TEST(ValidateTest, ReadsStandardInput) {
  const RunResult result = RunLine({"validate", "-f", "-"}, {.in = "servces: []\n"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(result.out, "<stdin>:1:1: error: ")) << result.out;
}

TEST(ValidateTest, MissingFileIsNamed) {
  for (const char* verb : {"validate", "diff", "apply"}) {
    const RunResult result = RunLine({verb, "-f", "/nonexistent/x.yaml", "--insecure"});
    EXPECT_EQ(result.code, ExitCode::kFailed);
    EXPECT_TRUE(Has(result.error, "/nonexistent/x.yaml")) << result.error;
  }
}

TEST(ReferenceTest, PageIsWhatTheProgramPrints) {
  const RunResult result = RunLine({"--help-markdown"});
  ASSERT_EQ(result.code, ExitCode::kDone);
  EXPECT_TRUE(base::testing::IsReferenceCurrent("docs/reference/sluicectl.md", result.out));
}

}  // namespace
}  // namespace sluice::sluicectl
