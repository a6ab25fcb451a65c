// A node's counters over the last minute, for "how was it before?".
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "controlplane/publish/traffic.h"

namespace sluice::publish {

class TrafficHistory {
 public:
  static constexpr int64_t kSpanMs = 60'000;
  static constexpr size_t kSamplesMax = 12;

  // Samples closer together than the span asks for take the place of the last one.
  void Add(const Traffic& counters, int64_t now_ms);

  // What was served between the oldest sample in the span and the newest.
  Traffic Lately(int64_t now_ms) const;

 private:
  struct Sample {
    int64_t at_ms = 0;
    Traffic counters;
  };
  std::deque<Sample> samples_;  // Oldest first.
  Sample newest_;
};

}  // namespace sluice::publish
