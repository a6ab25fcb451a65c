// The operator's hand on the fleet. verbs.cc lists what it can do.
#include <csignal>
#include <cstdlib>

#include "tools/sluicectl/command_line.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // Errors are told once, in our words.
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(
      sluice::sluicectl::RunCommandLine(arguments, sluice::sluicectl::ProcessConsole()));
}
