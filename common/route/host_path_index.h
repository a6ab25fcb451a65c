// Of many (host pattern, path prefix) pairs, finds the earliest that matches, without walking them.
//
// A forest in one array: below a root for every host pattern hang the segments of its prefixes. All
// edges lie in one open-addressing table keyed by parent and name. A lookup walks the roots whose
// host pattern matches (exact, each wildcard suffix, any) and leaves a branch as soon as nothing
// below it is earlier than what has been found. Hot path: no allocation. Immutable once all
// patterns are added and Finish was called.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::route {

class HostPathIndex {
 public:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  HostPathIndex();

  // `order` must grow from call to call.
  void Add(std::string_view host_pattern, std::string_view prefix, uint32_t order);
  void Finish();

  // The least order whose patterns match, or kNone.
  uint32_t Find(std::string_view host, std::string_view path) const;

  // Whether some host pattern matches, whatever its prefixes are.
  bool HasHost(std::string_view host) const;

  // The least order whose patterns match whatever the given ones match, or kNone.
  uint32_t FindCovering(std::string_view host_pattern, std::string_view prefix) const;

  size_t memory_bytes() const;

 private:
  struct Node {
    uint32_t here = kNone;        // Earliest pattern that ends here.
    uint32_t with_slash = kNone;  // Earliest that ends here but for a last "/".
    uint32_t below = kNone;       // Earliest of with_slash and of all nodes below.
    uint32_t parent = kNone;
    uint32_t name_offset = 0;  // In text_.
    uint32_t name_bytes = 0;
  };
  struct Edge {
    uint32_t hash = 0;
    uint32_t child = kNone;  // kNone: a free place.
  };

  // The roots of three kinds of host patterns hang below these.
  static constexpr uint32_t kExactHosts = 0;
  static constexpr uint32_t kWildcardHosts = 1;
  static constexpr uint32_t kAnyHost = 2;

  uint32_t Child(uint32_t parent, std::string_view name) const;
  uint32_t ChildOrNew(uint32_t parent, std::string_view name);
  void InsertEdge(uint32_t hash, uint32_t child);
  void GrowEdges();
  uint32_t HostRoot(std::string_view host_pattern);

  // Each returns the lesser of `best` and what it finds.
  uint32_t WalkWildcards(std::string_view host, std::string_view path, uint32_t best) const;
  uint32_t WalkPath(uint32_t root, std::string_view path, uint32_t best) const;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;  // Size a power of two, at most half full.
  size_t edge_count_ = 0;
  std::string text_;
  size_t wildcard_bytes_max_ = 0;  // Longest suffix; longer ones need not be tried.
};

}  // namespace sluice::route
