// A YAML document as a tree of values, each with its place, built under limits.
//
// yaml-cpp reads the text; its events build the tree, so that what it would silently accept
// (duplicate keys, aliases, merge keys, tags, a second document, a quote never closed) is refused
// here with a place. A tree is immutable and may be read by any thread; nodes are handles into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <memory_resource>
#include <string_view>

#include "controlplane/yaml/problems.h"
#include "controlplane/yaml/text.h"

namespace sluice::yaml {

inline constexpr int kDepthMax = 64;
// Values, lists and mappings of one document. Ten thousand routes take about a twentieth.
inline constexpr size_t kNodesMax = 2'000'000;
// The parser queues a [..] or {..} whole before it tells anything of it: this bounds that queue.
inline constexpr size_t kFlowIndicatorsMax = 300'000;
inline constexpr size_t kSilentBytesMax = 8 * 1024 * 1024;

enum class NodeKind : uint8_t {
  kNull,
  kScalar,
  kList,
  kMapping,
  kRefused,  // Already reported (an alias, say); to be passed over in silence.
};

class Tree;

// Valid as long as its tree. A default-constructed one stands for what is absent.
class YamlNode {
 public:
  YamlNode() = default;
  YamlNode(const Tree* tree, uint32_t index) : tree_(tree), index_(index) {}

  explicit operator bool() const { return tree_ != nullptr; }
  NodeKind kind() const;
  std::string_view text() const;  // Of a scalar.
  bool quoted() const;            // Or a block scalar: text whatever it looks like.
  Place place() const;

  // Children in order: of a list its items; of a mapping key, value, key, value.
  // for (YamlNode child = node.first(); child; child = child.next_in(node)) ...
  YamlNode first() const;
  YamlNode next_in(YamlNode parent) const;

 private:
  const Tree* tree_ = nullptr;
  uint32_t index_ = 0;
};

// The value of `key` in a mapping; absent if there is none, or `mapping` is something else.
YamlNode ValueOf(YamlNode mapping, std::string_view key);

class Tree {
 public:
  // Null when the text cannot be read as YAML; else the tree, in which what was refused is
  // kRefused. `text` must outlive the tree. An empty document is a tree whose root is absent or
  // kNull.
  static std::unique_ptr<const Tree> Parse(const PreparedText& text, uint32_t file,
                                           Problems* problems);

  YamlNode root() const { return nodes_.empty() ? YamlNode() : YamlNode(this, 0); }

 private:
  friend class YamlNode;
  friend class TreeBuilder;

  struct Data {
    const char* text = nullptr;
    uint32_t text_bytes = 0;
    uint32_t line = 0;
    uint32_t column = 0;
    uint32_t end = 0;  // Index after the last node below this one.
    NodeKind kind = NodeKind::kNull;
    bool quoted = false;
  };

  explicit Tree(uint32_t file) : file_(file) {}

  const uint32_t file_;
  std::deque<Data> nodes_;  // In document order, parents before children; never copied as it grows.
  std::pmr::monotonic_buffer_resource texts_;  // What does not stand in the file as it is meant.
};

}  // namespace sluice::yaml
