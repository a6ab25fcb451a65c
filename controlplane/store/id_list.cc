#include "controlplane/store/id_list.h"

#include <limits>

namespace sluice::store {

std::string EncodeIds(const std::vector<int64_t>& ids) {
  std::string blob;
  int64_t before = 0;
  for (const int64_t id : ids) {
    auto rest = static_cast<uint64_t>(id - before);
    for (; rest >= 0x80; rest >>= 7) blob += static_cast<char>(rest | 0x80);
    blob += static_cast<char>(rest);
    before = id;
  }
  return blob;
}

absl::StatusOr<std::vector<int64_t>> DecodeIds(std::string_view blob) {
  const auto damaged = [] {
    return absl::DataLossError("a version's list of resources is damaged");
  };
  std::vector<int64_t> ids;
  uint64_t distance = 0;
  int shift = 0;
  for (const char c : blob) {
    if (shift > 56) return damaged();
    const auto byte = static_cast<uint8_t>(c);
    distance |= static_cast<uint64_t>(byte & 0x7f) << shift;
    shift += 7;
    if ((byte & 0x80) != 0) continue;
    const int64_t before = ids.empty() ? 0 : ids.back();
    const auto room = static_cast<uint64_t>(std::numeric_limits<int64_t>::max() - before);
    if (distance > room || (distance == 0 && !ids.empty())) return damaged();
    ids.push_back(before + static_cast<int64_t>(distance));
    distance = 0;
    shift = 0;
  }
  if (shift != 0) return damaged();
  return ids;
}

}  // namespace sluice::store
