// The shape of the tables that define the format. The reader, the "did you mean", the JSON Schema
// and the reference are all made from them, so a key exists in all four or in none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
}

namespace sluice::yaml {

enum class KeyKind : uint8_t {
  kText,
  kTexts,    // A list of texts.
  kTextMap,  // A mapping of texts to texts; in a field: a list of "key=value".
  kFlag,     // true or false.
  kInteger,
  kIntegers,  // A list of integers.
  kDuration,  // 250ms, 5s, 1m30s; milliseconds in the message.
  kRatio,     // 0.05, from 0 to 1; millionths in the message.
  kChoice,    // One of `choices`.
  kBlock,     // A mapping with keys of its own.
  kBlocks,    // A list of such mappings.
};

struct Choice {
  std::string_view word;
  int number = 0;  // Of the enum, where the field is one.
};

// What is wrong with the text, as a sentence; empty: nothing.
using TextCheck = std::string (*)(std::string_view text);

struct Block;

struct Key {
  std::string_view name;
  KeyKind kind = KeyKind::kText;
  std::string_view doc;
  std::string_view example;  // As written in YAML.
  std::string_view field =
      {};  // Path in the block's message; empty: read by hand where it is needed.
  std::string_view initial = {};  // What it is when left out, as written in YAML.
  // What leaving it out means, where there is no `initial`. A block with neither is filled with its
  // keys' defaults when it is left out.
  std::string_view without = {};
  bool required = false;
  bool inverted = false;  // The field says the opposite.
  int64_t min = 0;        // Integers, and durations in milliseconds.
  int64_t max = INT64_MAX;
  int64_t scale = 1;  // The field's units in one of the key's.
  std::span<const Choice> choices = {};
  TextCheck check = nullptr;
  TextCheck pair_check = nullptr;  // Of "key=value", for a kTextMap with a field.
  const Block* block = nullptr;
};

struct Block {
  std::string_view title;  // services[].tls
  std::string_view doc;
  const google::protobuf::Descriptor* (*message)() = nullptr;  // Null: all read by hand.
  std::span<const Key> keys;
  std::span<const std::string_view> exactly_one_of = {};
};

// Limits on lists, so that a document's size bounds what it becomes.
inline constexpr size_t kListItemsMax = 10'000;
// Mappings read in one document: some 5 KiB each, all counted. 50,000 routes that name upstreams of
// the list of their own fit.
inline constexpr size_t kBlocksMax = 120'000;

const Key* FindKey(const Block& block, std::string_view name);

// 1m30s in milliseconds; -1 for what is no duration.
int64_t ParseDuration(std::string_view text);

// The whole format; the root of all blocks.
extern const Block kDocumentBlock;

}  // namespace sluice::yaml
