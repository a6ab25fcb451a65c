#include "tools/sluicectl/completion_script.h"

#include <fmt/format.h>

#include <set>

namespace sluice::sluicectl {
namespace {

// Single-quoted for any of the three shells. Help texts are ours and hold no backslash.
std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

bool TakesFile(const Flag& flag) { return flag.value_name.find("FILE") != std::string::npos; }

std::vector<const Flag*> VisibleFlags(const Command& command) {
  std::vector<const Flag*> flags;
  for (const Flag& flag : command.flags) {
    if (!flag.hidden) flags.push_back(&flag);
  }
  return flags;
}

// Calls `visit` with every command and the words that lead to it ("node drain"; "" for the
// program).
template <typename Visit>
void ForEach(const Command& command, const std::string& path, const Visit& visit) {
  visit(command, path);
  for (const Command& child : command.children) {
    ForEach(child, path.empty() ? child.name : path + " " + child.name, visit);
  }
}

// Names of flags followed by a value, over all verbs: the words after them are no verbs.
std::set<std::string> ValueFlags(const Command& root) {
  std::set<std::string> names;
  ForEach(root, "", [&names](const Command& command, const std::string&) {
    for (const Flag& flag : command.flags) {
      if (flag.value_name.empty()) continue;
      for (std::string& name : NamesOf(flag)) names.insert(std::move(name));
    }
  });
  return names;
}

std::string FlagWords(const Command& command) {
  std::string words;
  for (const Flag* flag : VisibleFlags(command)) words += NamesOf(*flag).back() + " ";
  return words;
}

std::string ChildWords(const Command& command) {
  std::string words;
  for (const Command& child : command.children) words += child.name + " ";
  return words;
}

std::string ChoiceWords(const Positional& positional) {
  return fmt::format("{}", fmt::join(positional.choices, " "));
}

// `case` arms shared by bash and zsh: both read the same syntax here.
std::string CaseArms(const Command& root) {
  std::string transitions;
  std::string words;
  std::string choices_by_place;
  std::string values;
  ForEach(root, "", [&](const Command& command, const std::string& path) {
    for (const Command& child : command.children) {
      const std::string from = path.empty() ? child.name : path + " " + child.name;
      transitions += fmt::format("      '{}'", from) + ") path=\"$path${path:+ }$word\" ;;\n";
    }
    words += fmt::format("    '{}') arguments='{}' flags='{}' ;;\n", path, ChildWords(command),
                         FlagWords(command));
    for (size_t i = 0; i < command.positionals.size(); ++i) {
      choices_by_place += fmt::format("    '{}:{}') arguments='{}' ;;\n", path, i,
                                      ChoiceWords(command.positionals[i]));
    }
    for (const Flag* flag : VisibleFlags(command)) {
      if (flag->value_name.empty()) continue;
      const std::string choices = fmt::format("{}", fmt::join(flag->choices, " "));
      const char* what = TakesFile(*flag) ? "<file>" : "<any>";
      for (const std::string& name : NamesOf(*flag)) {
        values += fmt::format("    '{}:{}') values='{}' ;;\n", path, name,
                              choices.empty() ? what : choices);
        if (!path.empty()) continue;
        values +=
            fmt::format("    *':{}') values='{}' ;;\n", name, choices.empty() ? what : choices);
      }
    }
  });
  std::string out;
  out +=
      fmt::format("    case \"$word\" in\n      {}) skip=1; continue ;;\n      -*) continue ;;\n",
                  fmt::join(ValueFlags(root), "|"));
  out += "    esac\n    count=$((count + 1))\n    case \"$path${path:+ }$word\" in\n";
  out += transitions;
  out += "      *) continue ;;\n    esac\n    count=0\n  done\n";
  out += "  case \"$path\" in\n" + words + "  esac\n";
  out += fmt::format("  flags=\"$flags {}--help\"\n", FlagWords(root));
  out += "  case \"$path:$previous\" in\n" + values + "  esac\n";
  out += "  case \"$path:$count\" in\n" + choices_by_place + "  esac\n";
  return out;
}

}  // namespace

std::string BashCompletion(const Command& root) {
  std::string out = "# bash completion for sluicectl. Use: source <(sluicectl completion bash)\n";
  out +=
      "_sluicectl() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  local path='' word='' values='' arguments='' flags='' skip=0 count=0 i\n"
      "  COMPREPLY=()\n"
      "  # Readline parts --flag=value into three words.\n"
      "  if [ \"$current\" = '=' ]; then current=''; "
      "elif [ \"$previous\" = '=' ]; then previous=\"${COMP_WORDS[COMP_CWORD-2]}\"; fi\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=\"${COMP_WORDS[i]}\"\n"
      "    if [ \"$word\" = '=' ]; then skip=1; continue; fi\n"
      "    if [ \"$skip\" = 1 ]; then skip=0; continue; fi\n";
  out += CaseArms(root);
  out +=
      "  case \"$values\" in\n"
      "    '') ;;\n"
      "    '<any>') return ;;\n"
      "    '<file>') COMPREPLY=($(compgen -f -- \"$current\")); compopt -o filenames 2>/dev/null; "
      "return ;;\n"
      "    *) COMPREPLY=($(compgen -W \"$values\" -- \"$current\")); return ;;\n"
      "  esac\n"
      "  case \"$current\" in\n"
      "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$current\")) ;;\n"
      "    *) COMPREPLY=($(compgen -W \"$arguments\" -- \"$current\")) ;;\n"
      "  esac\n"
      "}\n"
      "complete -F _sluicectl sluicectl\n";
  return out;
}

std::string ZshCompletion(const Command& root) {
  std::string out =
      "#compdef sluicectl\n"
      "# zsh completion for sluicectl. Use: source <(sluicectl completion zsh), or save\n"
      "# it as _sluicectl in a folder of $fpath.\n";
  // `words` and `path` are special in zsh; the latter is made local and ordinary.
  out +=
      "_sluicectl() {\n"
      "  emulate -L zsh\n"
      "  local -h path=''\n"
      "  local current=\"${words[CURRENT]}\" previous=\"${words[CURRENT-1]}\"\n"
      "  local word='' values='' arguments='' flags='' skip=0 count=0 i\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    word=\"${words[i]}\"\n"
      "    if [ \"$skip\" = 1 ]; then skip=0; continue; fi\n";
  out += CaseArms(root);
  out +=
      "  case \"$values\" in\n"
      "    '') ;;\n"
      "    '<any>') return ;;\n"
      "    '<file>') _files; return ;;\n"
      "    *) compadd -- ${=values}; return ;;\n"
      "  esac\n"
      "  case \"$current\" in\n"
      "    -*) compadd -- ${=flags} ;;\n"
      "    *) compadd -- ${=arguments} ;;\n"
      "  esac\n"
      "}\n"
      "if [ \"$funcstack[1]\" = _sluicectl ]; then _sluicectl \"$@\"; "
      "else compdef _sluicectl sluicectl; fi\n";
  return out;
}

std::string FishCompletion(const Command& root) {
  std::string out =
      "# fish completion for sluicectl. Use: sluicectl completion fish | source\n"
      "complete -c sluicectl -f\n";
  const auto add_flags = [&out](const Command& command, const std::string& condition) {
    for (const Flag* flag : VisibleFlags(command)) {
      std::string line = "complete -c sluicectl" + condition;
      for (const std::string& name : NamesOf(*flag)) {
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!flag->value_name.empty()) line += TakesFile(*flag) ? " -r -F" : " -x";
      if (!flag->choices.empty()) {
        line += " -a " + Quoted(fmt::format("{}", fmt::join(flag->choices, " ")));
      }
      out += line + " -d " + Quoted(flag->help) + "\n";
    }
  };
  add_flags(root, "");
  for (const Command& verb : root.children) {
    out += fmt::format("complete -c sluicectl -n __fish_use_subcommand -a {} -d {}\n", verb.name,
                       Quoted(verb.summary));
    const std::string in_verb = fmt::format("__fish_seen_subcommand_from {}", verb.name);
    add_flags(verb, " -n " + Quoted(in_verb));
    std::string words = ChildWords(verb);
    if (!verb.positionals.empty()) words += ChoiceWords(verb.positionals.front());
    if (!words.empty()) {
      const std::string fresh =
          fmt::format("{}; and not __fish_seen_subcommand_from {}", in_verb, words);
      out += fmt::format("complete -c sluicectl -n {} -a {}\n", Quoted(fresh), Quoted(words));
    }
    for (const Command& child : verb.children) {
      const std::string both =
          fmt::format("{}; and __fish_seen_subcommand_from {}", in_verb, child.name);
      add_flags(child, " -n " + Quoted(both));
      if (child.positionals.empty()) continue;
      for (const Positional& positional : child.positionals) {
        if (positional.choices.empty()) continue;
        out += fmt::format("complete -c sluicectl -n {} -a {}\n", Quoted(both),
                           Quoted(ChoiceWords(positional)));
      }
    }
  }
  return out;
}

}  // namespace sluice::sluicectl
