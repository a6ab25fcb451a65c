// How long to wait before trying again: exponential with full jitter, so that many clients that
// lost the same server do not come back together.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/random.h"

namespace sluice::base {

class Backoff {
 public:
  // 0 < `min` <= `max`. The same seed gives the same delays.
  Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max, uint64_t seed);

  // Uniform between `min` and a ceiling that starts at twice `min`, doubles with every call and
  // never passes `max`.
  std::chrono::milliseconds Next();

  // After a success.
  void Reset() { ceiling_ = FirstCeiling(); }

 private:
  std::chrono::milliseconds FirstCeiling() const;

  std::chrono::milliseconds min_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds ceiling_;  // Of the next delay.
  Random random_;
};

}  // namespace sluice::base
