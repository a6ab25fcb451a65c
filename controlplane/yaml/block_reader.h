// Reads mappings of the document into messages by the tables of format.h, reporting whatever does
// not fit them.
#pragma once

#include <google/protobuf/message.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/yaml/key_table.h"
#include "controlplane/yaml/node.h"
#include "controlplane/yaml/problems.h"

namespace sluice::yaml {

// Where in the document we are: services[0].routes[1].host. Frames on the stack; text only when
// asked.
class Path {
 public:
  Path() = default;
  Path(const Path& parent, std::string_view key) : parent_(&parent), key_(key) {}
  Path(const Path& parent, size_t index) : parent_(&parent), index_(index) {}
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  std::string ToString() const;

 private:
  static constexpr size_t kNoIndex = static_cast<size_t>(-1);

  const Path* const parent_ = nullptr;
  const std::string_view key_;
  const size_t index_ = kNoIndex;
};

// Where the fields of a message were written: paths as in v1::ResourceError.field.
using FieldPlaces = std::vector<std::pair<std::string, Place>>;

inline constexpr size_t kKeysOfBlockMax = 16;

// The values a mapping gave to the keys of its block.
class Found {
 public:
  Found(const Block& block, YamlNode node) : block_(&block), node_(node) {}

  bool has(std::string_view key) const { return static_cast<bool>(value(key)); }
  // What was written, also when it was refused; absent if nothing was.
  YamlNode value(std::string_view key) const;
  // Of a valid text; empty otherwise.
  std::string_view text(std::string_view key) const;
  // Of a valid integer; `otherwise` if absent or refused.
  int64_t integer(std::string_view key, int64_t otherwise) const;
  // Nothing was refused here or below.
  bool valid() const { return valid_; }
  YamlNode node() const { return node_; }

 private:
  friend class BlockReader;
  size_t IndexOf(std::string_view key) const;

  const Block* block_;
  YamlNode node_;
  std::array<YamlNode, kKeysOfBlockMax> values_;
  std::array<bool, kKeysOfBlockMax> refused_{};
  bool valid_ = true;
};

class BlockReader {
 public:
  explicit BlockReader(Problems* problems) : problems_(problems) {}

  // Keys with a `field` go into `message` (null for blocks without one), with their defaults where
  // they are left out. `places`, if not null, learns of every field written, under `prefix`.
  Found Read(const Block& block, YamlNode node, const Path& path,
             google::protobuf::Message* message, FieldPlaces* places, const std::string& prefix);

  // The defaults of a block that is left out as a whole.
  void ApplyDefaults(const Block& block, google::protobuf::Message* message);

  // False, and an error, unless `node` is a list (of at most kListItemsMax, or `items_max`).
  bool ExpectList(YamlNode node, const Path& path, size_t items_max = kListItemsMax);

 private:
  using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;
  struct Value {
    std::string_view text;
    int64_t number = 0;
  };
  struct Target {
    google::protobuf::Message* message;
    FieldPlaces* places;
    const std::string& prefix;
  };

  const std::vector<FieldPath>& FieldsOf(const Block& block);
  void ApplyDefault(const Key& key, const FieldPath& field, google::protobuf::Message* message);
  bool ReadKey(const Key& key, const FieldPath& field, YamlNode node, const Path& path,
               const Target& target);
  bool ReadList(const Key& key, const FieldPath& field, YamlNode node, const Path& path,
                const Target& target);
  bool ReadTextMap(const Key& key, const FieldPath& field, YamlNode node, const Path& path,
                   const Target& target);
  bool ReadScalar(const Key& key, YamlNode node, const Path& path, Value* value);
  void ReportUnknownKey(const Block& block, YamlNode key, const Path& path);
  void CheckExactlyOne(Found* found, const Path& path);
  bool Refuse(YamlNode node, const Path& path, std::string_view message);

  Problems* const problems_;
  std::unordered_map<const Block*, std::vector<FieldPath>> fields_;
  size_t blocks_ = 0;
};

// One value as its key wants it: the number it stands for (milliseconds of a duration, 1 for true,
// the enum's number of a choice). Returns what is wrong with it, or nothing.
std::string ParseWord(const Key& key, std::string_view text, int64_t* number);

}  // namespace sluice::yaml
