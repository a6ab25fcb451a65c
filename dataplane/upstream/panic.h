// Panic: with so few usable endpoints that they would be overrun, health is ignored.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::upstream {

// `usable` of `all` endpoints are healthy and not ejected. At a threshold of 0 there is no panic.
constexpr bool IsPanic(size_t usable, size_t all, uint32_t threshold_percent) {
  return uint64_t{100} * usable < uint64_t{threshold_percent} * all;
}

}  // namespace sluice::upstream
