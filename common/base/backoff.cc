#include "common/base/backoff.h"

#include <algorithm>

#include "common/base/check.h"

namespace sluice::base {

Backoff::Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max, uint64_t seed)
    : min_(min), max_(max), ceiling_(FirstCeiling()), random_(seed) {
  SLUICE_CHECK(min.count() > 0 && min <= max);
}

std::chrono::milliseconds Backoff::FirstCeiling() const {
  return min_ > max_ / 2 ? max_ : min_ * 2;  // Compared so that it cannot overflow.
}

std::chrono::milliseconds Backoff::Next() {
  const auto span = static_cast<uint64_t>((ceiling_ - min_).count());
  const std::chrono::milliseconds delay(min_.count() +
                                        static_cast<int64_t>(random_.Below(span + 1)));
  ceiling_ = ceiling_ > max_ / 2 ? max_ : ceiling_ * 2;
  return delay;
}

}  // namespace sluice::base
