#include "tools/sluicectl/command_line.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <string_view>

#include "common/base/nearest.h"
#include "common/base/version.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/reference.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

std::string Suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> words(known.begin(), known.end());
  const std::string_view nearest = base::NearestWord(word, words);
  return nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest);
}

CLI::Validator OneOf(const std::vector<std::string>& choices) {
  const auto check = [choices](const std::string& word) -> std::string {
    if (std::find(choices.begin(), choices.end(), word) != choices.end()) return "";
    return fmt::format("'{}' is none of {}{}", word, fmt::join(choices, ", "),
                       Suggestion(word, choices));
  };
  return CLI::Validator(check, fmt::format("{{{}}}", fmt::join(choices, ",")));
}

CLI::Option* AddTarget(CLI::App* app, const std::string& names, const std::string& help,
                       const Target& target) {
  if (auto* const* text = std::get_if<std::string*>(&target)) {
    return app->add_option(names, **text, help);
  }
  if (auto* const* number = std::get_if<uint64_t*>(&target)) {
    uint64_t* const value = *number;
    // CLI11's own conversion takes -1 for the largest number.
    const std::function<void(const std::string&)> parse = [value, names](const std::string& word) {
      const char* end = word.data() + word.size();
      const auto [stop, error] = std::from_chars(word.data(), end, *value);
      if (error != std::errc() || stop != end) {
        throw CLI::ValidationError(names, fmt::format("'{}' is no whole number", word));
      }
    };
    return app->add_option_function(names, parse, help);
  }
  if (auto* const* list = std::get_if<std::vector<std::string>*>(&target)) {
    return app->add_option(names, **list, help)->allow_extra_args(false);
  }
  if (auto* const* duration = std::get_if<DurationMs*>(&target)) {
    DurationMs* const value = *duration;
    const std::function<void(const std::string&)> parse = [value, names](const std::string& word) {
      const auto parsed = ParseDurationMs(word);
      if (!parsed.ok()) throw CLI::ValidationError(names, std::string(parsed.status().message()));
      value->value = *parsed;
    };
    return app->add_option_function(names, parse, help);
  }
  if (auto* const* ratio = std::get_if<Ratio*>(&target)) {
    Ratio* const value = *ratio;
    const std::function<void(const std::string&)> parse = [value, names](const std::string& word) {
      const auto parsed = ParseRatio(word);
      if (!parsed.ok()) throw CLI::ValidationError(names, std::string(parsed.status().message()));
      value->millionths = *parsed;
    };
    return app->add_option_function(names, parse, help);
  }
  return app->add_flag(names, *std::get<bool*>(target), help);
}

void AddFlag(CLI::App* app, const Flag& flag) {
  CLI::Option* option = AddTarget(app, flag.names, flag.help, flag.target);
  if (!flag.value_name.empty()) option->type_name(flag.value_name);
  if (!flag.choices.empty()) option->check(OneOf(flag.choices));
  if (flag.required) option->required();
  if (!flag.environment.empty()) option->envname(flag.environment);
  if (flag.hidden) option->group("");
}

void AddTo(CLI::App* app, const Command& command) {
  for (const Flag& flag : command.flags) AddFlag(app, flag);
  for (const Positional& positional : command.positionals) {
    CLI::Option* option = AddTarget(app, positional.name, positional.help, positional.target);
    option->type_name("");
    // A list takes all the words that are left.
    if (std::holds_alternative<std::vector<std::string>*>(positional.target)) {
      option->allow_extra_args();
    }
    if (!positional.choices.empty()) option->check(OneOf(positional.choices));
    if (positional.required) option->required();
  }
  if (!command.details.empty()) app->footer(command.details);
  app->fallthrough();  // Global flags may come after the verb.
  // At most one: a node named like a verb must not be taken for it.
  app->require_subcommand(0, 1);
  for (const Command& child : command.children) {
    AddTo(app->add_subcommand(child.name, child.summary), child);
  }
}

// The verb that was recognised so far, however the parse ended.
struct Selected {
  const Command* command;
  std::string path;  // "sluicectl node drain"
  const CLI::App* app;
};

Selected FindSelected(const CLI::App& app, const Command& root) {
  Selected selected{&root, root.name, &app};
  for (;;) {
    const auto parsed = selected.app->get_subcommands();
    if (parsed.empty()) return selected;
    selected.app = parsed.front();
    selected.path += " " + selected.app->get_name();
    for (const Command& child : selected.command->children) {
      if (child.name != selected.app->get_name()) continue;
      selected.command = &child;
      break;
    }
  }
}

std::vector<std::string> ChildNames(const Command& command) {
  std::vector<std::string> names;
  for (const Command& child : command.children) names.push_back(child.name);
  return names;
}

std::string UnknownWord(const std::string& word, const Command& root, const Selected& selected) {
  if (word.size() > 1 && word.front() == '-') {
    const std::string name = word.substr(0, word.find('='));
    std::vector<std::string> known = {"--help"};
    for (const Command* command : {selected.command, &root}) {
      for (const Flag& flag : command->flags) {
        if (flag.hidden) continue;
        for (std::string& flag_name : NamesOf(flag)) known.push_back(std::move(flag_name));
      }
    }
    return fmt::format("unknown flag '{}'{}", name, Suggestion(name, known));
  }
  if (!selected.command->children.empty()) {
    const std::vector<std::string> names = ChildNames(*selected.command);
    return fmt::format("unknown verb '{}'{}", word, Suggestion(word, names));
  }
  return fmt::format("unexpected argument '{}'", word);
}

ExitCode UsageError(const Console& console, const std::string& path, const std::string& message) {
  Text text;
  text.Add("error: ", Style::kRed).Add(message).EndLine();
  text.Line(fmt::format("See '{} --help'.", path));
  console.PrintError(text);
  return ExitCode::kUsage;
}

ExitCode ParseFailed(const CLI::App& app, const CLI::ParseError& error, const Command& root,
                     const Console& console) {
  const Selected selected = FindSelected(app, root);
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    console.write_out(app.help());
    return ExitCode::kDone;
  }
  // A word nobody knows explains best why something else is missing.
  const std::vector<std::string> unknown = app.remaining(true);
  const std::string message =
      unknown.empty() ? error.what() : UnknownWord(unknown.front(), root, selected);
  return UsageError(console, selected.path, message);
}

ExitCode RunSelected(const CLI::App& app, const Command& root, GlobalOptions* options,
                     Console console) {
  const Selected selected = FindSelected(app, root);
  if (selected.command == &root) {
    console.write_error(app.help());
    return ExitCode::kUsage;
  }
  if (selected.command->run == nullptr) {
    return UsageError(
        console, selected.path,
        fmt::format("one of {} is needed", fmt::join(ChildNames(*selected.command), ", ")));
  }
  if (const absl::Status status = ApplyContext(options); !status.ok()) {
    return UsageError(console, selected.path, std::string(status.message()));
  }
  if (options->no_color) console.color_allowed = false;
  Session session(*options, console);
  return selected.command->run(session);
}

}  // namespace

ExitCode RunCommandLine(const std::vector<std::string>& arguments, Console console) {
  GlobalOptions options;
  bool version = false;
  bool markdown = false;
  Command root = RootCommand(&options);
  root.flags.push_back({"--version", "", "Print the version of this program", &version});
  root.flags.push_back({.names = "--help-markdown",
                        .help = "Print the reference of all verbs as Markdown",
                        .target = &markdown,
                        .hidden = true});
  try {
    CLI::App app(root.summary, root.name);
    AddTo(&app, root);
    try {
      // CLI11 takes the words from the back.
      app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
      return ParseFailed(app, error, root, console);
    }
    if (version) {
      console.write_out(fmt::format("sluicectl {}\n", base::BuildInfo()));
      return ExitCode::kDone;
    }
    if (markdown) {
      console.write_out(MarkdownReference(root));
      return ExitCode::kDone;
    }
    return RunSelected(app, root, &options, std::move(console));
  } catch (const std::exception& error) {
    console.PrintError(Text().Line(fmt::format("error: {}", error.what())));
    return ExitCode::kFailed;
  }
}

}  // namespace sluice::sluicectl
