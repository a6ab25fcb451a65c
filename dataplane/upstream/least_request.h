// Picks the less busy of two random endpoints. Both are drawn by weight and compared by requests
// per weight, so that traffic follows the weights while little is going on, and the load when much
// is.
//
// Hot path: no allocation. One worker's; counts only that worker's requests.
#pragma once

#include "dataplane/upstream/weighted_sampler.h"

namespace sluice::upstream {

class LeastRequest {
 public:
  LeastRequest(std::span<const EndpointLoad> endpoints, uint64_t seed)
      : endpoints_(endpoints), sampler_(endpoints, seed) {}

  void SetUsable(std::span<const uint32_t> usable) { sampler_.SetUsable(usable); }
  int Pick(uint64_t hash, const TriedEndpoints& tried);

 private:
  const std::span<const EndpointLoad> endpoints_;
  WeightedSampler sampler_;
};

}  // namespace sluice::upstream
