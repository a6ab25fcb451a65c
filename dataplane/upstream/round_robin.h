// Picks endpoints in turn, each as often as its weight says and as evenly spread as can be: every
// endpoint is due again 1/weight after its last turn, and the one due first is next.
//
// Hot path: no allocation; O(log n). One worker's. Turns survive changes of health.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/upstream/endpoint_load.h"

namespace sluice::upstream {

class RoundRobin {
 public:
  // `endpoints` must outlive this object. `seed` moves the start, so that workers do not march in
  // step.
  RoundRobin(std::span<const EndpointLoad> endpoints, uint64_t seed);

  void SetUsable(std::span<const uint32_t> usable);
  int Pick(uint64_t hash, const TriedEndpoints& tried);

  // Virtual time of the last pick. It is set back before it reaches kTimeMax, far from overflow.
  uint64_t now() const { return now_; }
  static constexpr uint64_t kTurn = uint64_t{1} << 32;
  static constexpr uint64_t kTimeMax = kTurn << 20;

 private:
  struct Turn {
    uint64_t due;   // Virtual time; kTurn is one turn of weight 1.
    uint32_t rank;  // Decides between equals.
    uint32_t index;
  };
  static bool Later(const Turn& a, const Turn& b) {
    return a.due != b.due ? a.due > b.due : a.rank > b.rank;
  }
  uint64_t StepOf(uint32_t index) const;
  void Put(const Turn& turn);
  Turn TakeFirst();
  void Rebase();

  const std::span<const EndpointLoad> endpoints_;
  std::vector<Turn> all_;   // By index: the last known turn of endpoints not in heap_.
  std::vector<Turn> heap_;  // The usable ones, first due on top.
  uint64_t now_ = 0;        // When the last pick was due.
};

}  // namespace sluice::upstream
