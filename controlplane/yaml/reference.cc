#include "controlplane/yaml/reference.h"

#include <fmt/format.h>

#include <limits>
#include <vector>

#include "controlplane/yaml/format.h"

namespace sluice::yaml {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is generated from the tables the controller reads documents by
(`SLUICE_UPDATE_DOCS=1 tools/test -R Reference` writes it). `docs/sluice.schema.json` says the same to editors.

A document is one YAML file, or a directory of `*.yaml` and `*.yml` files that are read in name order: the lists
`services`, `upstreams` and `tests` are joined, every other block stands in one file only. Text is UTF-8.

- **Durations** are written with a unit: `250ms`, `5s`, `1m30s`, `1h`. Keys that end in `_secs` take a bare number.
- **Flags** are `true` or `false`; `yes`, `no`, `on` and `off` are refused.
- **Numbers** are decimal digits: no leading zeros, no `0x`, no `_`.
- Anchors, aliases, merge keys, tags and several documents in one file are refused, and so is a key given twice.
- Limits: 32 MiB, 64 levels deep, 2 million values, 10,000 entries in a list (100,000 routes in a service).

All problems of a document are reported at once, each as `file:line:column: severity: path: message`. A document
with an error changes nothing.
)";

// Headings' anchors keep letters, digits, "-" and "_".
std::string AnchorOf(std::string_view title) {
  std::string anchor;
  for (const char c : title) {
    if (c != '.' && c != '[' && c != ']' && c != '(' && c != ')') anchor += c;
  }
  return anchor;
}

std::string TypeOf(const Key& key) {
  switch (key.kind) {
    case KeyKind::kText:
      return "text";
    case KeyKind::kTexts:
      return "list of texts";
    case KeyKind::kTextMap:
      return "mapping of texts";
    case KeyKind::kFlag:
      return "flag";
    case KeyKind::kInteger:
    case KeyKind::kIntegers: {
      const std::string what = key.kind == KeyKind::kInteger ? "number" : "list of numbers";
      if (key.max == std::numeric_limits<int64_t>::max())
        return fmt::format("{}, from {}", what, key.min);
      return fmt::format("{}, {} to {}", what, key.min, key.max);
    }
    case KeyKind::kRatio:
      return "number, 0 to 1";
    case KeyKind::kDuration:
      return "duration";
    case KeyKind::kChoice: {
      std::string words;
      for (const Choice& choice : key.choices) {
        words += fmt::format("{}`{}`", words.empty() ? "" : ", ", choice.word);
      }
      return words;
    }
    case KeyKind::kBlock:
      return fmt::format("[block](#{})", AnchorOf(key.block->title));
    case KeyKind::kBlocks:
      return fmt::format("[list](#{})", AnchorOf(key.block->title));
  }
  return {};
}

std::string DefaultOf(const Key& key) {
  if (key.required) return "**required**";
  if (!key.initial.empty()) return fmt::format("`{}`", key.initial);
  if (!key.without.empty()) return std::string(key.without);
  return key.kind == KeyKind::kBlock ? "its keys' defaults" : "none";
}

std::string ForCell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

void Collect(const Block& block, std::vector<const Block*>* all) {
  for (const Block* known : *all) {
    if (known == &block) return;
  }
  all->push_back(&block);
  for (const Key& key : block.keys) {
    if (key.block != nullptr) Collect(*key.block, all);
  }
}

}  // namespace

std::string BlockReference(const Block& block) {
  std::string text = fmt::format("\n## {}\n\n{}\n", block.title, block.doc);
  if (!block.exactly_one_of.empty()) {
    std::string keys;
    for (const std::string_view key : block.exactly_one_of) {
      keys += fmt::format("{}`{}`", keys.empty() ? "" : ", ", key);
    }
    text += fmt::format("Exactly one of {} is needed.\n", keys);
  }
  text += "\n| key | value | default | meaning | example |\n| --- | --- | --- | --- | --- |\n";
  for (const Key& key : block.keys) {
    text += fmt::format("| `{}` | {} | {} | {} | `{}` |\n", key.name, TypeOf(key), DefaultOf(key),
                        ForCell(key.doc), ForCell(key.example));
  }
  if (!block.keys.empty() && block.title == "logging.access_log") {
    std::string fields;
    for (const Choice& choice : FindKey(block, "fields")->choices) {
      fields += fmt::format("{}`{}`", fields.empty() ? "" : ", ", choice.word);
    }
    text += fmt::format("\nFields: {}.\n", fields);
  }
  return text;
}

std::string ConfigurationReference() {
  std::string text(kIntroduction);
  std::vector<const Block*> blocks;
  Collect(kDocumentBlock, &blocks);
  for (const Block* block : blocks) text += BlockReference(*block);
  return text;
}

}  // namespace sluice::yaml
