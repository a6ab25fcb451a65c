// Where the key that seals secrets at rest comes from.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/trust/seal.h"

namespace sluice::trust {

struct SealKeySource {
  std::string file;          // --seal-key-file
  std::string command;       // --seal-key-command: words, no shell; its output is the key.
  std::string environment;   // The name of a variable.
  std::string default_file;  // Counts if nothing else is given.
  // Make it (0600) if it is not there. False where something has been sealed already: a new key
  // would open nothing.
  bool may_make = true;
};

// A key is 64 hexadecimal digits, alone but for white space. The first of file, command,
// environment and default file that is given counts; file and command together are an error. Blocks
// for as long as the command runs, half a minute at most.
absl::StatusOr<Sealer> LoadSealer(const SealKeySource& source);

}  // namespace sluice::trust
