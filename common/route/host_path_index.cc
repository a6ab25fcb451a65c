#include "common/route/host_path_index.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/hash.h"

namespace sluice::route {
namespace {

uint32_t EdgeHash(uint32_t parent, std::string_view name) {
  return static_cast<uint32_t>(base::Hash64(name, parent));
}

// The name of the segment at the start of `rest`, which begins with "/"; moves `rest` behind the
// segment and its parameters.
std::string_view TakeSegmentName(std::string_view* rest) {
  const char* const begin = rest->data() + 1;
  const char* const end = rest->data() + rest->size();
  const char* name_end = begin;
  while (name_end != end && *name_end != '/' && *name_end != ';') ++name_end;
  const char* segment_end = name_end;
  while (segment_end != end && *segment_end != '/') ++segment_end;
  *rest = {segment_end, static_cast<size_t>(end - segment_end)};
  return {begin, static_cast<size_t>(name_end - begin)};
}

bool IsAnyHost(std::string_view pattern) { return pattern.empty() || pattern == "*"; }

}  // namespace

HostPathIndex::HostPathIndex() : nodes_(3), edges_(16) {}

uint32_t HostPathIndex::Child(uint32_t parent, std::string_view name) const {
  const uint32_t hash = EdgeHash(parent, name);
  const size_t mask = edges_.size() - 1;
  for (size_t place = hash & mask;; place = (place + 1) & mask) {
    const Edge& edge = edges_[place];
    if (edge.child == kNone) return kNone;
    if (edge.hash != hash) continue;
    const Node& node = nodes_[edge.child];
    if (node.parent != parent) continue;
    if (std::string_view(text_).substr(node.name_offset, node.name_bytes) == name)
      return edge.child;
  }
}

void HostPathIndex::InsertEdge(uint32_t hash, uint32_t child) {
  const size_t mask = edges_.size() - 1;
  size_t place = hash & mask;
  while (edges_[place].child != kNone) place = (place + 1) & mask;
  edges_[place] = {hash, child};
}

void HostPathIndex::GrowEdges() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  for (const Edge& edge : old) {
    if (edge.child != kNone) InsertEdge(edge.hash, edge.child);
  }
}

uint32_t HostPathIndex::ChildOrNew(uint32_t parent, std::string_view name) {
  const uint32_t known = Child(parent, name);
  if (known != kNone) return known;
  if (++edge_count_ * 2 > edges_.size()) GrowEdges();
  const auto child = static_cast<uint32_t>(nodes_.size());
  SLUICE_CHECK(text_.size() + name.size() < kNone);
  Node node;
  node.parent = parent;
  node.name_offset = static_cast<uint32_t>(text_.size());
  node.name_bytes = static_cast<uint32_t>(name.size());
  nodes_.push_back(node);
  text_ += name;
  InsertEdge(EdgeHash(parent, name), child);
  return child;
}

uint32_t HostPathIndex::HostRoot(std::string_view host_pattern) {
  if (IsAnyHost(host_pattern)) return kAnyHost;
  if (!host_pattern.starts_with("*.")) return ChildOrNew(kExactHosts, host_pattern);
  const std::string_view suffix = host_pattern.substr(2);
  wildcard_bytes_max_ = std::max(wildcard_bytes_max_, suffix.size());
  return ChildOrNew(kWildcardHosts, suffix);
}

void HostPathIndex::Add(std::string_view host_pattern, std::string_view prefix, uint32_t order) {
  uint32_t node = HostRoot(host_pattern);
  std::string_view rest = prefix == "/" ? std::string_view() : prefix;
  while (rest.size() > 1) {
    const size_t end = std::min(rest.find('/', 1), rest.size());
    node = ChildOrNew(node, rest.substr(1, end - 1));
    rest.remove_prefix(end);
  }
  uint32_t& slot = rest.empty() ? nodes_[node].here : nodes_[node].with_slash;
  slot = std::min(slot, order);
}

void HostPathIndex::Finish() {
  // A child always stands behind its parent.
  for (size_t i = nodes_.size(); i-- > 0;) {
    Node& node = nodes_[i];
    node.below = std::min(node.below, node.with_slash);
    if (node.parent == kNone) continue;
    uint32_t& above = nodes_[node.parent].below;
    above = std::min({above, node.here, node.below});
  }
  nodes_.shrink_to_fit();
  text_.shrink_to_fit();
}

uint32_t HostPathIndex::WalkPath(uint32_t root, std::string_view path, uint32_t best) const {
  for (uint32_t at = root; at != kNone;) {
    const Node& node = nodes_[at];
    best = std::min(best, node.here);
    if (node.below >= best || !path.starts_with('/')) break;
    best = std::min(best, node.with_slash);
    at = Child(at, TakeSegmentName(&path));
  }
  return best;
}

uint32_t HostPathIndex::WalkWildcards(std::string_view host, std::string_view path,
                                      uint32_t best) const {
  for (size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    const std::string_view suffix = host.substr(dot + 1);
    // Also what keeps a hostile host of many dots cheap.
    if (suffix.size() > wildcard_bytes_max_ || dot == 0) continue;
    const uint32_t root = Child(kWildcardHosts, suffix);
    if (root != kNone) best = WalkPath(root, path, best);
  }
  return best;
}

uint32_t HostPathIndex::Find(std::string_view host, std::string_view path) const {
  uint32_t best = WalkPath(kAnyHost, path, kNone);
  if (nodes_[kExactHosts].below < best) {
    const uint32_t root = Child(kExactHosts, host);
    if (root != kNone) best = WalkPath(root, path, best);
  }
  if (nodes_[kWildcardHosts].below < best) best = WalkWildcards(host, path, best);
  return best;
}

bool HostPathIndex::HasHost(std::string_view host) const {
  if (std::min(nodes_[kAnyHost].here, nodes_[kAnyHost].below) != kNone) return true;
  if (Child(kExactHosts, host) != kNone) return true;
  for (size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
    const std::string_view suffix = host.substr(dot + 1);
    if (suffix.size() > wildcard_bytes_max_ || dot == 0) continue;
    if (Child(kWildcardHosts, suffix) != kNone) return true;
  }
  return false;
}

uint32_t HostPathIndex::FindCovering(std::string_view host_pattern, std::string_view prefix) const {
  const std::string_view path = prefix.empty() ? std::string_view("/") : prefix;
  if (IsAnyHost(host_pattern)) return WalkPath(kAnyHost, path, kNone);
  if (!host_pattern.starts_with("*.")) return Find(host_pattern, path);
  // "*.b.c" lies within itself and "*.c". The star stands for the label that a dot must follow.
  return WalkWildcards(host_pattern, path, WalkPath(kAnyHost, path, kNone));
}

size_t HostPathIndex::memory_bytes() const {
  return sizeof *this + nodes_.capacity() * sizeof(Node) + edges_.capacity() * sizeof(Edge) +
         text_.capacity();
}

}  // namespace sluice::route
