#include "tools/sluicectl/completion_script.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

// Standard output of a shell line.
std::string Shell(const std::string& line) {
  std::string out;
  FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  char buffer[4096];
  for (size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    out.append(buffer, count);
  }
  const int status = ::pclose(pipe);
  return status == 0 ? out : out + "exit status " + std::to_string(WEXITSTATUS(status));
}

std::string ScriptFor(const std::string& shell) {
  const RunResult result = RunLine({"completion", shell});
  EXPECT_EQ(result.code, ExitCode::kDone);
  return result.out;
}

// What bash offers for these words, the last of which is being typed; one a line.
std::string Complete(const std::string& words) {
  const TestFolder folder;
  folder.Write("completion", ScriptFor("bash"));
  folder.Write("demo.yaml", "");
  folder.Write("driver", "cd " + folder.path() + "\nsource ./completion\nCOMP_WORDS=(sluicectl " +
                             words +
                             ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_sluicectl\n"
                             "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
  return Shell("bash " + folder.path() + "/driver 2>&1");
}

TEST(CompletionTest, BashAcceptsTheScript) {
  const TestFolder folder;
  EXPECT_EQ(Shell("bash -n " + folder.Write("completion", ScriptFor("bash")) + " 2>&1"), "");
}

TEST(CompletionTest, OtherShellsAcceptTheirScripts) {
  const TestFolder folder;
  int checked = 0;
  for (const char* shell : {"zsh", "fish"}) {
    const std::string path = folder.Write(shell, ScriptFor(shell));
    if (std::system((std::string("command -v ") + shell + " >/dev/null").c_str()) != 0) continue;
    EXPECT_EQ(Shell(std::string(shell) + " -n " + path + " 2>&1"), "");
    ++checked;
  }
  if (checked == 0) GTEST_SKIP() << "neither zsh nor fish here";
}

TEST(CompletionTest, ScriptsNameEveryVerb) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = ScriptFor(shell);
    for (const char* word : {"apply", "undrain", "certificates", "dry-run", "completion"}) {
      EXPECT_NE(script.find(word), std::string::npos) << shell << " " << word;
    }
    EXPECT_EQ(script.find("help-markdown"), std::string::npos) << shell;
  }
}

TEST(CompletionTest, CompletesVerbs) {
  EXPECT_EQ(Complete("ap"), "apply\n");
  EXPECT_EQ(Complete("d"), "diff\ndescribe\n");
}

TEST(CompletionTest, CompletesSubVerbsAndKinds) {
  EXPECT_EQ(Complete("node un"), "undrain\nuncordon\n");
  EXPECT_EQ(Complete("get n"), "nodes\n");
  EXPECT_EQ(Complete("get nodes n"), "\n");
  EXPECT_EQ(Complete("node log-level edge-1 d"), "debug\n");
  EXPECT_EQ(Complete("describe ''"), "node\nversion\nupstream\nservice\nroute\n");
}

TEST(CompletionTest, CompletesFlagsOfTheVerbAndTheProgram) {
  EXPECT_EQ(Complete("apply --dr"), "--dry-run\n");
  EXPECT_EQ(Complete("apply --contr"), "--controller\n");
  EXPECT_EQ(Complete("status --dr"), "\n");
}

TEST(CompletionTest, CompletesValuesOfFlags) {
  EXPECT_EQ(Complete("get nodes -o j"), "json\n");
  EXPECT_EQ(Complete("apply --dry-run ''"), "server\nnodes\n");
  EXPECT_EQ(Complete("apply --dry-run '=' n"), "nodes\n");
  EXPECT_EQ(Complete("apply -f dem"), "demo.yaml\n");
}

TEST(CompletionTest, ValuesOfFlagsAreNotTakenForVerbs) {
  EXPECT_EQ(Complete("-o json get ro"), "routes\n");
  EXPECT_EQ(Complete("--controller get ap"), "apply\n");
}

}  // namespace
}  // namespace sluice::sluicectl
