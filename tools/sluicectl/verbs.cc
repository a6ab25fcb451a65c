#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {

Command RootCommand(GlobalOptions* options) {
  Command root;
  root.name = "sluicectl";
  root.summary = "Operates a Sluice fleet through its controller.";
  root.details =
      "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 waited in vain, 4 the controller "
      "cannot be reached.";
  root.flags = GlobalFlags(options);
  // In the order of --help: the way a change takes, then looking, then the rest.
  root.children = {
      ValidateCommand(),      DiffCommand(),       ApplyCommand(),   RolloutCommand(),
      StatusCommand(),        TopCommand(),        GetCommand(),     DescribeCommand(),
      HistoryCommand(),       RollbackCommand(),   ExplainCommand(), NodeCommand(),
      TokenCommand(),         AuditCommand(),      BackupCommand(),  RestoreCommand(),
      SupportBundleCommand(), CompletionCommand(), VersionCommand(),
  };
  return root;
}

}  // namespace sluice::sluicectl
