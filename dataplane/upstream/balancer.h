// Chooses an endpoint. One balancer per cluster and worker; not thread-safe. Hot path: no
// allocation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/upstream/endpoint_load.h"
#include "dataplane/upstream/least_request.h"
#include "dataplane/upstream/maglev.h"
#include "dataplane/upstream/random_choice.h"
#include "dataplane/upstream/round_robin.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::upstream {

class Balancer {
 public:
  // `endpoints` must outlive the balancer and keep its size. `identities`: the addresses, for
  // hashing. Below `panic_threshold_percent` healthy endpoints, health is ignored; at 0 it never
  // is.
  Balancer(v1::LbStrategy strategy, std::span<const EndpointLoad> endpoints,
           std::span<const std::string> identities, uint32_t panic_threshold_percent,
           uint64_t seed);

  // Index of the endpoint, or -1 when none may be used. `hash` only matters to LB_STRATEGY_HASH.
  int Pick(uint64_t hash, const TriedEndpoints& tried);
  // After weights have changed.
  void Reweigh() { Refresh(seen_changes_); }

 private:
  void Refresh(uint64_t changes);

  const std::span<const EndpointLoad> endpoints_;
  const uint32_t panic_threshold_percent_;
  uint64_t seen_changes_ = 0;     // EndpointHealth::Changes() when usable_ was made.
  std::vector<uint32_t> usable_;  // Ascending; capacity for all.
  std::variant<LeastRequest, RoundRobin, RandomChoice, Maglev> strategy_;
};

}  // namespace sluice::upstream
