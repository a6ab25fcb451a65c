// Draws endpoints at random, each as often as its weight says.
//
// Hot path: no allocation. One worker's. Constant time where all weights are equal, else
// logarithmic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/random.h"
#include "dataplane/upstream/endpoint_load.h"

namespace sluice::upstream {

class WeightedSampler {
 public:
  // `endpoints` must outlive this object.
  WeightedSampler(std::span<const EndpointLoad> endpoints, uint64_t seed);

  // The endpoints to draw from, by index.
  void SetUsable(std::span<const uint32_t> usable);

  // Index of an endpoint that was not tried; -1: there is none.
  int Draw(const TriedEndpoints& tried);

  uint32_t WeightOf(uint32_t index) const { return std::max(1u, endpoints_[index].weight); }

 private:
  uint32_t DrawAny();
  int DrawFromRest(const TriedEndpoints& tried);

  const std::span<const EndpointLoad> endpoints_;
  base::Random random_;
  std::vector<uint32_t> usable_;
  std::vector<uint64_t> sums_;  // sums_[i]: weights of usable_[0..i].
  bool equal_weights_ = true;
};

}  // namespace sluice::upstream
