// A verb as data: its flags, arguments, sub-verbs, and what runs.
//
// The parser, --help, the shell completions and docs/reference/sluicectl.md are all made from these
// tables. A verb's file has one function that returns its Command; verbs.cc lists them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::sluicectl {

enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,        // Refused or failed; the reason is on standard error.
  kUsage = 2,         // Wrong flags or arguments.
  kWaitedInVain = 3,  // --timeout passed; what was released stays released.
  kUnreachable = 4,   // No controller at the address.
};

class Session;

// An option that takes a duration such as 30s; in milliseconds.
struct DurationMs {
  uint64_t value = 0;
};

// An option that takes a share such as 0.05; in millionths.
struct Ratio {
  std::optional<uint32_t> millionths;
};

// Where a parsed value goes. The pointee lives as long as the Command (usually held by its `run`).
using Target =
    std::variant<bool*, std::string*, uint64_t*, DurationMs*, Ratio*, std::vector<std::string>*>;

struct Flag {
  std::string names;       // "-f,--file": the long one last.
  std::string value_name;  // FILE, N, ...; empty: a switch.
  std::string help;
  Target target;
  std::vector<std::string> choices = {};
  bool required = false;
  std::string environment = {};  // Also read from this variable; the flag wins.
  bool hidden = false;
};

struct Positional {
  std::string name;
  std::string help;
  Target target;
  std::vector<std::string> choices = {};
  bool required = true;
};

struct Command {
  std::string name;
  std::string summary;
  std::string details = {};  // More sentences, for the reference and --help.
  std::vector<Flag> flags = {};
  std::vector<Positional> positionals = {};
  std::vector<Command> children = {};
  std::function<ExitCode(Session&)> run = nullptr;  // Null: one of the children is needed.
};

// "-f,--file" split.
inline std::vector<std::string> NamesOf(const Flag& flag) {
  std::vector<std::string> names;
  for (size_t start = 0; start <= flag.names.size();) {
    const size_t comma = std::min(flag.names.find(',', start), flag.names.size());
    names.push_back(flag.names.substr(start, comma - start));
    start = comma + 1;
  }
  return names;
}

}  // namespace sluice::sluicectl
