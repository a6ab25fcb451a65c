// Gives endpoints that have just become usable less than their share at first, and more step by
// step: caches are cold then, and pools empty.
//
// On the request path. One worker's.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/io/timer_wheel.h"
#include "dataplane/upstream/endpoint_load.h"

namespace sluice::upstream {

class SlowStart {
 public:
  // What a weight is multiplied by where nothing ramps up; a new endpoint begins with 1.
  static constexpr uint32_t kScale = 10;

  // `window`: until the full weight; zero: off.
  explicit SlowStart(io::Millis window) : window_(window) {}

  // Whether Apply has something to do at `now_micros`.
  bool due(int64_t now_micros) const {
    return window_.count() != 0 &&
           (EndpointHealth::Changes() != seen_changes_ || now_micros >= next_micros_);
  }
  // Sets the weights of this moment; `weight_of(i)` is the configured one.
  template <typename WeightOf>
  void Apply(std::span<EndpointLoad> loads, int64_t now_micros, WeightOf weight_of) {
    seen_changes_ = EndpointHealth::Changes();
    const int64_t step = io::Micros(window_).count() / kScale;
    next_micros_ = INT64_MAX;
    for (size_t i = 0; i < loads.size(); ++i) {
      const int64_t usable = now_micros - loads[i].health->usable_since_micros();
      const int64_t steps = std::clamp<int64_t>(usable / std::max<int64_t>(step, 1), 0, kScale - 1);
      loads[i].weight = std::max(weight_of(i), 1u) * (static_cast<uint32_t>(steps) + 1);
      if (steps < kScale - 1) next_micros_ = std::min(next_micros_, now_micros + step);
    }
  }

 private:
  const io::Millis window_;
  uint64_t seen_changes_ = 0;
  int64_t next_micros_ = 0;
};

}  // namespace sluice::upstream
