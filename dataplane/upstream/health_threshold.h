// Decides from a row of probe results whether an endpoint is healthy.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/handover.pb.h"

namespace sluice::upstream {

class HealthThreshold {
 public:
  explicit HealthThreshold(const v1::HealthCheck& check)
      : healthy_after_(std::max(1u, check.healthy_after())),
        unhealthy_after_(std::max(1u, check.unhealthy_after())),
        healthy_(!check.initially_unhealthy()),
        first_decides_(check.initially_unhealthy()) {}

  bool healthy() const { return healthy_; }

  // So that another process goes on counting.
  void Save(v1::HandoverHealth* to) const {
    to->set_first_pass_decides(first_decides_);
    to->set_results_in_a_row(in_a_row_);
  }
  void Restore(const v1::HandoverHealth& from) {
    healthy_ = from.healthy();
    first_decides_ = from.first_pass_decides();
    in_a_row_ = from.results_in_a_row();
  }

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
