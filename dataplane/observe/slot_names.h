// Which slot belongs to which names, and how many use it. Not thread-safe.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/observe/metrics.h"

namespace sluice::observe {

using SlotLabels = std::array<std::string, 3>;

class SlotNames {
 public:
  // `slots_max`: the last slot is for the names that find no other.
  explicit SlotNames(Slot slots_max = kSlotsMax) : slots_max_(slots_max) {}

  Slot Acquire(const SlotLabels& labels);
  // True: that was the last user, and the slot may be given to other names.
  bool Release(Slot slot);

  // Slots that may be in use are below this; labels of one that is not are empty.
  Slot end() const { return static_cast<Slot>(entries_.size()); }
  bool in_use(Slot slot) const { return entries_[slot].users > 0; }
  const SlotLabels& labels(Slot slot) const { return entries_[slot].labels; }

 private:
  struct Entry {
    SlotLabels labels;
    uint32_t users = 0;
  };
  Slot NewSlot(const SlotLabels& labels);

  const Slot slots_max_;
  std::vector<Entry> entries_;
  std::vector<Slot> free_;
  std::unordered_map<std::string, Slot> by_key_;
};

}  // namespace sluice::observe
