#include "common/base/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "common/base/file.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"

namespace sluice::base {
namespace {

constexpr size_t kBootstrapBytesMax = 64 * 1024;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

absl::Status ParseBool(const std::string& text, bool* value) {
  if (text != "true" && text != "false" && text != "1" && text != "0") {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is neither true nor false", text));
  }
  *value = text == "true" || text == "1";
  return absl::OkStatus();
}

// The largest unit that says it without a fraction.
std::string DurationText(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count == 0 || count % 1000 != 0) return fmt::format("{}ms", count);
  if (count % 60'000 != 0) return fmt::format("{}s", count / 1000);
  return count % 3'600'000 != 0 ? fmt::format("{}m", count / 60'000)
                                : fmt::format("{}h", count / 3'600'000);
}

// A bar would end the cell.
std::string CellText(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

absl::Status InPlace(const std::string& place, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", place, std::string(status.message())));
}

}  // namespace

absl::Status ParseDuration(const std::string& text, std::chrono::milliseconds* duration) {
  int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, count);
  const std::string_view unit(parsed.ptr, static_cast<size_t>(end - parsed.ptr));
  const int64_t scale = unit == "ms"  ? 1
                        : unit == "s" ? 1000
                        : unit == "m" ? 60'000
                        : unit == "h" ? 3'600'000
                                      : 0;
  if (parsed.ec != std::errc() || scale == 0 || count < 0 || count > 1'000'000'000) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no duration: write a number and a unit, as in 250ms, 5s, 1m", text));
  }
  *duration = std::chrono::milliseconds(count * scale);
  return absl::OkStatus();
}

Flags::Flags(std::string program, std::string environment_prefix, std::string summary)
    : program_(std::move(program)),
      environment_prefix_(std::move(environment_prefix)),
      summary_(std::move(summary)) {}

Flags::Flag& Flags::Add(Flag flag) { return flags_.emplace_back(std::move(flag)); }

void Flags::Text(const std::string& name, std::string* target, const std::string& placeholder,
                 const std::string& help, const std::string& default_text) {
  Add({.name = name,
       .placeholder = placeholder,
       .help = help,
       .default_text = default_text.empty() ? *target : default_text,
       .set = [target](const std::string& value) {
         *target = value;
         return absl::OkStatus();
       }});
}

void Flags::List(const std::string& name, std::vector<std::string>* target,
                 const std::string& placeholder, const std::string& help) {
  Add({.name = name,
       .placeholder = placeholder,
       .help = help,
       .default_text = "",
       .repeatable = true,
       .set = [target](const std::string& value) {
         target->push_back(value);
         return absl::OkStatus();
       }});
}

void Flags::Switch(const std::string& name, bool* target, const std::string& help) {
  Add({.name = name,
       .placeholder = "",
       .help = help,
       .default_text = "",
       .takes_value = false,
       .set = [target](const std::string& value) {
         return value.empty() ? (*target = true, absl::OkStatus()) : ParseBool(value, target);
       }});
}

void Flags::Number(const std::string& name, int* target, int least, int most,
                   const std::string& help) {
  Add({.name = name,
       .placeholder = "N",
       .help = help,
       .default_text = std::to_string(*target),
       .set = [target, least, most](const std::string& value) -> absl::Status {
         int number = 0;
         const char* end = value.data() + value.size();
         const auto parsed = std::from_chars(value.data(), end, number);
         if (parsed.ec != std::errc() || parsed.ptr != end || number < least || number > most) {
           return absl::InvalidArgumentError(
               fmt::format("\"{}\" is no whole number from {} to {}", value, least, most));
         }
         *target = number;
         return absl::OkStatus();
       }});
}

void Flags::Duration(const std::string& name, std::chrono::milliseconds* target,
                     const std::string& help) {
  Add({.name = name,
       .placeholder = "DURATION",
       .help = help,
       .default_text = DurationText(*target),
       .set = [target](const std::string& value) { return ParseDuration(value, target); }});
}

Flags::Flag* Flags::Find(const std::string& name) {
  for (Flag& flag : flags_) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

absl::Status Flags::Unknown(const std::string& name) const {
  std::vector<std::string_view> known = {"help", "version", "bootstrap"};
  for (const Flag& flag : flags_) known.push_back(flag.name);
  const std::string_view nearest = NearestWord(name, known);
  return absl::InvalidArgumentError(
      nearest.empty() ? fmt::format("--{} is not known; --help lists the flags", name)
                      : fmt::format("--{} is not known; did you mean --{}?", name, nearest));
}

absl::Status Flags::SetFromCommandLine(int argc, char** argv, std::string* bootstrap, bool* stop) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::fputs(Help().c_str(), stdout);
      return *stop = true, absl::OkStatus();
    }
    if (argument == "--version") {
      std::printf("%s %s\n", program_.c_str(), BuildInfo().c_str());
      return *stop = true, absl::OkStatus();
    }
    if (argument == "--help-markdown") {
      std::fputs(Markdown().c_str(), stdout);
      return *stop = true, absl::OkStatus();
    }
    if (!argument.starts_with("--")) {
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is no flag; {} takes flags only", argument, program_));
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    bool has_value = equals != std::string::npos;
    std::string value = has_value ? argument.substr(equals + 1) : "";
    Flag* flag = Find(name);
    if (flag == nullptr && name != "bootstrap") return Unknown(name);
    if (!has_value && (flag == nullptr || flag->takes_value)) {
      if (i + 1 == argc) return absl::InvalidArgumentError(fmt::format("--{} needs a value", name));
      value = argv[++i];
    }
    if (flag == nullptr) {
      *bootstrap = value;
      continue;
    }
    RETURN_IF_ERROR(InPlace("--" + name, flag->set(value)));
    flag->given = true;
  }
  return absl::OkStatus();
}

std::string Flags::EnvironmentName(const std::string& flag) const {
  std::string name = environment_prefix_;
  for (const char c : flag) name += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

absl::Status Flags::SetFromEnvironment(std::string* bootstrap) {
  for (Flag& flag : flags_) {
    const std::string name = EnvironmentName(flag.name);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || flag.given) continue;
    std::string rest = value;
    // A repeatable flag takes its values separated by commas.
    while (flag.repeatable && rest.find(',') != std::string::npos) {
      RETURN_IF_ERROR(InPlace(name, flag.set(rest.substr(0, rest.find(',')))));
      rest.erase(0, rest.find(',') + 1);
    }
    RETURN_IF_ERROR(InPlace(name, flag.set(!flag.takes_value && rest.empty() ? "false" : rest)));
    flag.given = true;
  }
  const char* file = std::getenv(EnvironmentName("bootstrap").c_str());
  if (bootstrap->empty() && file != nullptr) *bootstrap = file;
  return absl::OkStatus();
}

absl::Status Flags::SetFromFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kBootstrapBytesMax));
  std::set<std::string> here;  // Given on an earlier line of this file.
  int number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = Trim(std::string_view(text).substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::string place = fmt::format("{}:{}", path, number);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return absl::InvalidArgumentError(place + ": expected \"flag: value\"");
    }
    const std::string name(Trim(line.substr(0, colon)));
    std::string_view value = Trim(line.substr(colon + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    Flag* flag = Find(name);
    if (flag == nullptr) return InPlace(place, Unknown(name));
    if (flag->given && !here.contains(name)) continue;
    if (here.contains(name) && !flag->repeatable) {
      return absl::InvalidArgumentError(fmt::format("{}: {} was given already", place, name));
    }
    RETURN_IF_ERROR(InPlace(place, flag->set(std::string(value))));
    flag->given = true;
    here.insert(name);
  }
  return absl::OkStatus();
}

Flags::Outcome Flags::Parse(int argc, char** argv) {
  std::string bootstrap;
  bool stop = false;
  absl::Status status = SetFromCommandLine(argc, argv, &bootstrap, &stop);
  if (status.ok() && stop) return Outcome::kExitOk;
  if (status.ok()) status = SetFromEnvironment(&bootstrap);
  if (status.ok() && !bootstrap.empty()) status = SetFromFile(bootstrap);
  if (status.ok()) return Outcome::kRun;
  std::fprintf(stderr, "%s: %s\n", program_.c_str(), std::string(status.message()).c_str());
  return Outcome::kExitUsage;
}

std::string Flags::Help() const {
  std::string text = fmt::format("{}\n\nUsage: {} [flags]\n\n", summary_, program_);
  const auto add = [&text](const std::string& left, const std::string& help) {
    text += fmt::format("  {:<28} {}\n", left, help);
  };
  for (const Flag& flag : flags_) {
    std::string help = flag.help;
    if (!flag.default_text.empty()) help += fmt::format(" (default {})", flag.default_text);
    if (flag.repeatable) help += " (repeatable)";
    add(flag.placeholder.empty() ? "--" + flag.name
                                 : fmt::format("--{} {}", flag.name, flag.placeholder),
        help);
  }
  add("--bootstrap FILE", "Lines \"flag: value\" for flags not given otherwise.");
  add("--help", "This text.");
  add("--version", "The version.");
  text += fmt::format("\nEvery flag also comes from the environment: --{} is {}.\n",
                      flags_.front().name, EnvironmentName(flags_.front().name));
  return text;
}

std::string Flags::Markdown() const {
  std::string text =
      fmt::format("# {}\n\n{}\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n",
                  program_, summary_);
  for (const Flag& flag : flags_) {
    const std::string shown =
        flag.placeholder.empty() ? flag.name : fmt::format("{} {}", flag.name, flag.placeholder);
    text +=
        fmt::format("| `--{}` | `{}` | {} | {}{} |\n", CellText(shown), EnvironmentName(flag.name),
                    flag.default_text.empty() ? "" : "`" + flag.default_text + "`", flag.help,
                    flag.repeatable ? " Repeatable." : "");
  }
  text += fmt::format(
      "| `--bootstrap FILE` | `{}` |  | Lines `flag: value` for flags not given otherwise. |\n",
      EnvironmentName("bootstrap"));
  return text;
}

}  // namespace sluice::base
