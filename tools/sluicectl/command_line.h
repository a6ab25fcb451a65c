// From words on the command line to the verb that runs.
#pragma once

#include <string>
#include <vector>

#include "tools/sluicectl/command.h"
#include "tools/sluicectl/console.h"

namespace sluice::sluicectl {

// `arguments` without the program's name. Everything the program does; never throws.
ExitCode RunCommandLine(const std::vector<std::string>& arguments, Console console);

}  // namespace sluice::sluicectl
