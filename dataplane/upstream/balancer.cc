#include "dataplane/upstream/balancer.h"

#include <utility>

#include "dataplane/upstream/panic.h"

namespace sluice::upstream {
namespace {

using Strategy = std::variant<LeastRequest, RoundRobin, RandomChoice, Maglev>;

Strategy MakeStrategy(v1::LbStrategy strategy, std::span<const EndpointLoad> endpoints,
                      std::span<const std::string> identities, uint64_t seed) {
  switch (strategy) {
    case v1::LB_STRATEGY_ROUND_ROBIN:
      return RoundRobin(endpoints, seed);
    case v1::LB_STRATEGY_RANDOM:
      return RandomChoice(endpoints, seed);
    case v1::LB_STRATEGY_HASH:
      return Maglev(endpoints, identities);
    default:  // Also what a newer controller may name.
      return LeastRequest(endpoints, seed);
  }
}

}  // namespace

Balancer::Balancer(v1::LbStrategy strategy, std::span<const EndpointLoad> endpoints,
                   std::span<const std::string> identities, uint32_t panic_threshold_percent,
                   uint64_t seed)
    : endpoints_(endpoints),
      panic_threshold_percent_(panic_threshold_percent),
      strategy_(MakeStrategy(strategy, endpoints, identities, seed)) {
  usable_.reserve(endpoints.size());
  Refresh(EndpointHealth::Changes());
}

int Balancer::Pick(uint64_t hash, const TriedEndpoints& tried) {
  const uint64_t changes = EndpointHealth::Changes();
  if (changes != seen_changes_) [[unlikely]]
    Refresh(changes);
  return std::visit([hash, &tried](auto& strategy) { return strategy.Pick(hash, tried); },
                    strategy_);
}

void Balancer::Refresh(uint64_t changes) {
  seen_changes_ = changes;
  const auto count = static_cast<uint32_t>(endpoints_.size());
  usable_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    if (endpoints_[i].health->usable()) usable_.push_back(i);
  }
  if (IsPanic(usable_.size(), count, panic_threshold_percent_)) {
    usable_.clear();
    for (uint32_t i = 0; i < count; ++i) usable_.push_back(i);
  }
  std::visit([this](auto& strategy) { strategy.SetUsable(usable_); }, strategy_);
}

}  // namespace sluice::upstream
