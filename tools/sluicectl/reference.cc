#include "tools/sluicectl/reference.h"

#include <fmt/format.h>

namespace sluice::sluicectl {
namespace {

// Inside a table cell.
std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<') out += '\\';
    out += c;
  }
  return out;
}

std::string FlagNames(const Flag& flag) {
  std::string out;
  for (const std::string& name : NamesOf(flag)) {
    if (!out.empty()) out += ", ";
    out += fmt::format("`{}{}{}`", name, flag.value_name.empty() ? "" : " ", flag.value_name);
  }
  return out;
}

void AppendFlags(std::string* out, const std::vector<Flag>& flags, bool with_environment) {
  *out += with_environment ? "| flag | environment | meaning |\n| --- | --- | --- |\n"
                           : "| flag | meaning |\n| --- | --- |\n";
  for (const Flag& flag : flags) {
    if (flag.hidden) continue;
    *out += fmt::format("| {} |", Escaped(FlagNames(flag)));
    if (with_environment) {
      *out += flag.environment.empty() ? " |" : fmt::format(" `{}` |", flag.environment);
    }
    *out += fmt::format(" {}{} |\n", Escaped(flag.help), flag.required ? " (required)" : "");
  }
  *out += '\n';
}

std::string Usage(const Command& command, const std::string& path) {
  std::string usage = path;
  for (const Flag& flag : command.flags) {
    if (flag.required) usage += fmt::format(" {} {}", NamesOf(flag).front(), flag.value_name);
  }
  for (const Positional& positional : command.positionals) {
    std::string word = positional.name;
    if (!positional.choices.empty()) word = fmt::format("{}", fmt::join(positional.choices, "|"));
    usage += positional.required ? fmt::format(" {}", word) : fmt::format(" [{}]", word);
  }
  if (!command.flags.empty()) usage += " [flags]";
  return usage;
}

void AppendCommand(std::string* out, const Command& command, const std::string& parent) {
  const std::string path = parent + " " + command.name;
  if (command.run != nullptr) {
    *out += fmt::format("## {}\n\n{}.\n\n", path, command.summary);
    *out += fmt::format("```\n{}\n```\n\n", Usage(command, path));
    if (!command.details.empty()) *out += command.details + "\n\n";
    if (!command.positionals.empty()) {
      *out += "| argument | meaning |\n| --- | --- |\n";
      for (const Positional& positional : command.positionals) {
        *out += fmt::format("| `{}` | {} |\n", positional.name, Escaped(positional.help));
      }
      *out += '\n';
    }
    if (!command.flags.empty()) AppendFlags(out, command.flags, false);
  }
  for (const Command& child : command.children) AppendCommand(out, child, path);
}

}  // namespace

std::string MarkdownReference(const Command& root) {
  std::string out = "# sluicectl\n\n";
  out += "<!-- Made by `sluicectl --help-markdown`; a test fails when this page is stale. -->\n\n";
  out += root.summary + "\n\n";
  out +=
      "## Exit codes\n\n"
      "| code | meaning |\n| --- | --- |\n"
      "| 0 | Done |\n"
      "| 1 | Refused or failed; the reason is on standard error |\n"
      "| 2 | Wrong usage |\n"
      "| 3 | Waited in vain; what was released stays released |\n"
      "| 4 | The controller cannot be reached |\n\n";
  out +=
      "## Global flags\n\n"
      "They may stand before or after the verb. A flag wins over its environment variable, that "
      "over "
      "the context file.\n\n";
  AppendFlags(&out, root.flags, true);
  out +=
      "## Output for programs\n\n"
      "`-o json` and `-o yaml` print the messages of `proto/sluice/v1` with their field names. "
      "Every "
      "scalar is present, 64-bit integers are numbers, `root` and `sha256` are lower-case "
      "hexadecimal, enum values their names, resource bodies the message they hold. With `--watch` "
      "JSON is one value a line, YAML one document after `---`.\n\n";
  for (const Command& child : root.children) AppendCommand(&out, child, root.name);
  out.pop_back();
  return out;
}

}  // namespace sluice::sluicectl
