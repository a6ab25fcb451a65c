#include "dataplane/upstream/maglev.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "common/base/check.h"
#include "common/base/hash.h"

namespace sluice::upstream {
namespace {

// Primes, with about a hundred slots for each endpoint at least. Few sizes, because all keys move
// when the size changes: beyond 40 and beyond 655 endpoints.
struct TableSize {
  size_t endpoints_max;
  uint32_t slots;
};
constexpr TableSize kTableSizes[] = {
    {40, 4093}, {655, 65521}, {std::numeric_limits<size_t>::max(), 1048573}};

// Other places looked at for a key whose endpoint may not be used, before all are looked at in
// turn.
constexpr uint64_t kProbesMax = 32;

constexpr uint32_t kNobody = std::numeric_limits<uint32_t>::max();

uint32_t SlotsFor(size_t endpoints) {
  for (const TableSize& size : kTableSizes) {
    if (endpoints <= size.endpoints_max) return size.slots;
  }
  __builtin_unreachable();
}

// An endpoint's order of preference among the slots: offset, offset + skip, offset + 2 skip...
struct Preference {
  uint32_t index;
  uint32_t weight;
  uint32_t next;  // The slot it wants next.
  uint32_t skip;
  uint64_t due = 0;  // The round of its next turn, times its weight.
};

}  // namespace

Maglev::Maglev(std::span<const EndpointLoad> endpoints, std::span<const std::string> identities)
    : table_(SlotsFor(endpoints.size()), kNobody), usable_(endpoints.size(), 0) {
  SLUICE_CHECK(endpoints.size() == identities.size());
  if (!endpoints.empty()) Fill(endpoints, identities);
}

void Maglev::Fill(std::span<const EndpointLoad> endpoints,
                  std::span<const std::string> identities) {
  const auto slots = static_cast<uint32_t>(table_.size());
  std::vector<uint32_t> order(endpoints.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&identities](uint32_t a, uint32_t b) { return identities[a] < identities[b]; });

  std::vector<Preference> preferences;
  preferences.reserve(order.size());
  uint32_t weight_max = 1;
  for (const uint32_t index : order) {
    const uint32_t weight = std::max(1u, endpoints[index].weight);
    weight_max = std::max(weight_max, weight);
    preferences.push_back(
        {.index = index,
         .weight = weight,
         .next = static_cast<uint32_t>(base::Hash64(identities[index], 1) % slots),
         .skip = static_cast<uint32_t>(base::Hash64(identities[index], 2) % (slots - 1)) + 1});
  }

  // The heaviest takes a slot in every round, the others in proportion.
  uint32_t filled = 0;
  for (uint64_t round = 1; filled < slots; ++round) {
    for (Preference& preference : preferences) {
      if (filled == slots) break;
      if (round * preference.weight < preference.due + weight_max) continue;
      preference.due += weight_max;
      while (table_[preference.next] != kNobody) {
        preference.next = (preference.next + preference.skip) % slots;
      }
      table_[preference.next] = preference.index;
      ++filled;
    }
  }
}

void Maglev::SetUsable(std::span<const uint32_t> usable) {
  std::fill(usable_.begin(), usable_.end(), 0);
  for (const uint32_t index : usable) usable_[index] = 1;
}

int Maglev::Pick(uint64_t hash, const TriedEndpoints& tried) const {
  if (usable_.empty()) return -1;
  uint64_t key = base::MixHash(hash, kProbesMax);
  for (uint64_t probe = 0; probe < kProbesMax; ++probe) {
    const uint32_t index = table_[key % table_.size()];
    if (MayUse(index, tried)) return static_cast<int>(index);
    key = base::MixHash(key, probe);
  }
  const auto count = static_cast<uint32_t>(usable_.size());
  auto index = static_cast<uint32_t>(key % count);
  for (uint32_t i = 0; i < count; ++i) {
    if (MayUse(index, tried)) return static_cast<int>(index);
    index = index + 1 == count ? 0 : index + 1;
  }
  return -1;
}

}  // namespace sluice::upstream
