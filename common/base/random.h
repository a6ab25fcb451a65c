// A small seeded generator (xoshiro256**), not for secrets, and the kernel's randomness.
//
// Hot path: no allocation, no locks, about a nanosecond a number. Each thread or object owns its
// own.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace sluice::base {

class Random {
 public:
  using result_type = uint64_t;  // Fits the standard library's distributions and std::shuffle.

  // The same seed gives the same numbers on every machine.
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) word = SplitMix(seed);
  }

  uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound) but for a bias below bound / 2^64. `bound` must not be 0.
  uint64_t Below(uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>((Wide{Next()} * bound) >> 64);
  }

  // Uniform in [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  uint64_t operator()() { return Next(); }
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

 private:
  static uint64_t SplitMix(uint64_t& seed) {
    uint64_t mixed = seed += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
  }

  uint64_t state_[4];
};

// From the kernel; different at every call.
uint64_t RandomSeed();

// Bytes fit for keys and tokens.
void FillRandom(void* bytes, size_t count);

}  // namespace sluice::base
