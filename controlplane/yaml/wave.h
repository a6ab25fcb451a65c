// How a wave of a rollout is written: "3", so many nodes; "10%", such a share of them.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::yaml {

// Nodes that have the version once the wave is out.
struct Wave {
  uint32_t amount = 0;  // 1 at least.
  bool percent = false;
};

inline constexpr std::array<std::string_view, 4> kDefaultWaves = {"1", "10%", "50%", "100%"};

std::optional<Wave> ParseWave(std::string_view text);

// What is wrong with it, with the remedy; empty: nothing.
std::string WaveProblem(std::string_view text);
// Of all waves together: they must grow.
std::string WavesProblem(const google::protobuf::RepeatedPtrField<std::string>& waves);

}  // namespace sluice::yaml
