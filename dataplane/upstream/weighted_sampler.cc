#include "dataplane/upstream/weighted_sampler.h"

#include <algorithm>

namespace sluice::upstream {
namespace {

// Draws that hit a tried endpoint before the untried ones are added up instead.
constexpr int kRejectionsMax = 4;

}  // namespace

WeightedSampler::WeightedSampler(std::span<const EndpointLoad> endpoints, uint64_t seed)
    : endpoints_(endpoints), random_(seed) {
  usable_.reserve(endpoints.size());
  sums_.reserve(endpoints.size());
}

void WeightedSampler::SetUsable(std::span<const uint32_t> usable) {
  usable_.assign(usable.begin(), usable.end());
  sums_.clear();
  equal_weights_ = true;
  uint64_t sum = 0;
  for (const uint32_t index : usable_) {
    sum += WeightOf(index);
    sums_.push_back(sum);
    equal_weights_ = equal_weights_ && WeightOf(index) == WeightOf(usable_.front());
  }
}

uint32_t WeightedSampler::DrawAny() {
  if (equal_weights_) return usable_[random_.Below(usable_.size())];
  const auto point = random_.Below(sums_.back());
  const auto found = std::upper_bound(sums_.begin(), sums_.end(), point);
  return usable_[static_cast<size_t>(found - sums_.begin())];
}

int WeightedSampler::Draw(const TriedEndpoints& tried) {
  if (usable_.empty()) return -1;
  for (int i = 0; i < kRejectionsMax; ++i) {
    const uint32_t index = DrawAny();
    if (!tried.Contains(index)) return static_cast<int>(index);
  }
  return DrawFromRest(tried);
}

int WeightedSampler::DrawFromRest(const TriedEndpoints& tried) {
  uint64_t sum = 0;
  for (const uint32_t index : usable_) {
    if (!tried.Contains(index)) sum += WeightOf(index);
  }
  if (sum == 0) return -1;
  auto left = random_.Below(sum);
  for (const uint32_t index : usable_) {
    if (tried.Contains(index)) continue;
    if (left < WeightOf(index)) return static_cast<int>(index);
    left -= WeightOf(index);
  }
  return -1;
}

}  // namespace sluice::upstream
