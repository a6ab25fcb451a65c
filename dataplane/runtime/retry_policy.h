// A route's `retry`, compiled: what is tried again, and how often.
//
// Immutable. Control thread makes it; the request path reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/io/timer_wheel.h"
#include "sluice/v1/route.pb.h"

namespace sluice::runtime {

enum class RetryCondition : uint8_t {
  kConnectFailure = 1,
  kReset = 2,
  kTimeout = 4,
  kGatewayError = 8,
};

struct RetryPolicy {
  RetryPolicy() = default;
  // Of a validated policy. A forward without one gets the defaults.
  explicit RetryPolicy(const v1::Forward& forward);

  bool on(RetryCondition condition) const { return conditions & static_cast<uint8_t>(condition); }
  // Whether an upstream's response with this status is not passed on as long as there is another
  // try.
  bool OnStatus(uint16_t status) const;
  // Full jitter's upper end before a further try, after `tries` of them.
  io::Millis BackoffAfter(uint32_t tries) const;

  uint32_t attempts_max = 3;
  uint8_t conditions = static_cast<uint8_t>(RetryCondition::kConnectFailure) |
                       static_cast<uint8_t>(RetryCondition::kReset);
  bool any_5xx = false;
  bool non_idempotent = false;
  std::vector<uint16_t> statuses;
  io::Millis backoff{25}, backoff_max{250};
  io::Millis hedge_after{0};  // 0: none.
};

}  // namespace sluice::runtime
