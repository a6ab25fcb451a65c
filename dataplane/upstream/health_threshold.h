// Decides from a row of probe results whether an endpoint is healthy.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sluice/v1/cluster.pb.h"

namespace sluice::upstream {

class HealthThreshold {
 public:
  explicit HealthThreshold(const v1::HealthCheck& check)
      : healthy_after_(std::max(1u, check.healthy_after())),
        unhealthy_after_(std::max(1u, check.unhealthy_after())),
        healthy_(!check.initially_unhealthy()),
        first_decides_(check.initially_unhealthy()) {}

  bool healthy() const { return healthy_; }

  // The endpoint's health after one more result.
  bool Observe(bool passed) {
    // "Unhealthy until the first answer": the first good one is enough.
    const uint32_t needed = passed ? (first_decides_ ? 1 : healthy_after_) : unhealthy_after_;
    first_decides_ = first_decides_ && !passed;
    in_a_row_ = passed == healthy_ ? 0 : in_a_row_ + 1;
    if (in_a_row_ >= needed) {
      healthy_ = passed;
      in_a_row_ = 0;
    }
    return healthy_;
  }

 private:
  const uint32_t healthy_after_;
  const uint32_t unhealthy_after_;
  bool healthy_;
  bool first_decides_;
  uint32_t in_a_row_ = 0;  // Results that contradict healthy_.
};

}  // namespace sluice::upstream
