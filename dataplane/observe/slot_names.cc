#include "dataplane/observe/slot_names.h"

#include "common/base/check.h"

namespace sluice::observe {
namespace {

std::string KeyOf(const SlotLabels& labels) {
  std::string key;
  for (const std::string& label : labels) {
    key += label;
    key += '\0';  // Never in a name.
  }
  return key;
}

}  // namespace

Slot SlotNames::Acquire(const SlotLabels& labels) {
  const auto [found, is_new] = by_key_.try_emplace(KeyOf(labels), 0);
  if (is_new) {
    const Slot slot = NewSlot(labels);
    if (slot == slots_max_ - 1) {
      by_key_.erase(found);
    } else {
      found->second = slot;
    }
    ++entries_[slot].users;
    return slot;
  }
  ++entries_[found->second].users;
  return found->second;
}

Slot SlotNames::NewSlot(const SlotLabels& labels) {
  if (!free_.empty()) {
    const Slot slot = free_.back();
    free_.pop_back();
    entries_[slot].labels = labels;
    return slot;
  }
  if (entries_.size() < slots_max_ - 1) {
    entries_.push_back({.labels = labels});
    return static_cast<Slot>(entries_.size() - 1);
  }
  if (entries_.size() < slots_max_) {
    const std::string overflow(kOverflowName);
    entries_.push_back({.labels = {overflow, overflow, overflow}});
  }
  return slots_max_ - 1;
}

bool SlotNames::Release(Slot slot) {
  SLUICE_CHECK(slot < entries_.size() && entries_[slot].users > 0);
  Entry& entry = entries_[slot];
  if (--entry.users > 0 || slot == slots_max_ - 1) return false;
  by_key_.erase(KeyOf(entry.labels));
  entry.labels = {};
  free_.push_back(slot);
  return true;
}

}  // namespace sluice::observe
