// Every verb: one function, in the file of its name.
#pragma once

#include "tools/sluicectl/command.h"
#include "tools/sluicectl/options.h"

namespace sluice::sluicectl {

Command ApplyCommand();
Command AuditCommand();
Command BackupCommand();
Command CompletionCommand();
Command DescribeCommand();
Command DiffCommand();
Command ExplainCommand();
Command GetCommand();
Command HistoryCommand();
Command NodeCommand();
Command RestoreCommand();
Command RollbackCommand();
Command RolloutCommand();
Command StatusCommand();
Command SupportBundleCommand();
Command TokenCommand();
Command TopCommand();
Command ValidateCommand();
Command VersionCommand();

// The program itself with its global flags, which fill `options`.
Command RootCommand(GlobalOptions* options);

}  // namespace sluice::sluicectl
