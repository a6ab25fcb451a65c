// Picks any endpoint, each as often as its weight says.
//
// Hot path: no allocation. One worker's.
#pragma once

#include "dataplane/upstream/weighted_sampler.h"

namespace sluice::upstream {

class RandomChoice {
 public:
  RandomChoice(std::span<const EndpointLoad> endpoints, uint64_t seed)
      : sampler_(endpoints, seed) {}

  void SetUsable(std::span<const uint32_t> usable) { sampler_.SetUsable(usable); }
  int Pick(uint64_t /*hash*/, const TriedEndpoints& tried) { return sampler_.Draw(tried); }

 private:
  WeightedSampler sampler_;
};

}  // namespace sluice::upstream
