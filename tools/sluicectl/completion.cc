// sluicectl completion: a script for the shell.
#include <memory>

#include "tools/sluicectl/completion_script.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

ExitCode Run(const std::string& shell, Session& session) {
  GlobalOptions unused;
  const Command root = RootCommand(&unused);
  if (shell == "bash") {
    session.console().write_out(BashCompletion(root));
  } else if (shell == "zsh") {
    session.console().write_out(ZshCompletion(root));
  } else {
    session.console().write_out(FishCompletion(root));
  }
  return ExitCode::kDone;
}

}  // namespace

Command CompletionCommand() {
  auto shell = std::make_shared<std::string>();
  Command command;
  command.name = "completion";
  command.summary = "Print a completion script for a shell";
  command.details =
      "For bash: source <(sluicectl completion bash). For zsh: save it as _sluicectl in a folder "
      "of "
      "$fpath. For fish: sluicectl completion fish | source.";
  command.positionals = {{"SHELL", "Which shell", shell.get(), {"bash", "zsh", "fish"}}};
  command.run = [shell](Session& session) { return Run(*shell, session); };
  return command;
}

}  // namespace sluice::sluicectl
