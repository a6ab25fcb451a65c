// A small generator for choices on the request path (SplitMix64); not for secrets.
#pragma once

#include <cstdint>

namespace sluice::upstream {

// A bijection that spreads every input bit over the whole result.
inline constexpr uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Maps a uniform 32-bit value to [0, bound) without division; the bias is below bound / 2^32.
inline constexpr uint32_t Scale(uint32_t uniform, uint32_t bound) {
  return static_cast<uint32_t>((uint64_t{uniform} * bound) >> 32);
}

class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15u); }
  // Less than `bound`, which must not be 0.
  uint32_t Below(uint32_t bound) { return Scale(static_cast<uint32_t>(Next() >> 32), bound); }

 private:
  uint64_t state_;
};

}  // namespace sluice::upstream
