#include "common/config/bound_address.h"

#include <string_view>

namespace sluice::config {
namespace {

// Whether no node can have the labels of both: one must have another value there than here.
bool ExcludeEachOther(const v1::Listener& a, const v1::Listener& b) {
  for (const std::string& label : a.placement()) {
    const std::string_view key = std::string_view(label).substr(0, label.find('=') + 1);
    for (const std::string& other : b.placement()) {
      if (other.starts_with(key) && other != label) return true;
    }
  }
  return false;
}

bool Overlap(const base::SocketAddress& a, const base::SocketAddress& b) {
  if (a.port() != b.port() || a.family() != b.family()) return false;
  return a.is_unspecified() || b.is_unspecified() || a.ToString() == b.ToString();
}

}  // namespace

bool Collide(const BoundAddress& a, const BoundAddress& b) {
  if (!Overlap(a.address, b.address)) return false;
  return a.listener == nullptr || b.listener == nullptr ||
         !ExcludeEachOther(*a.listener, *b.listener);
}

}  // namespace sluice::config
