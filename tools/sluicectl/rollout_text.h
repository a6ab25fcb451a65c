// A rollout in waves, for people.
#pragma once

#include <cstdint>

#include "sluice/v1/rollout.pb.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

// "baking, wave 2 of 4".
std::string RolloutSummary(const v1::Rollout& rollout);
Style RolloutStyle(v1::Rollout::State state);

// Whole: versions, waves with their nodes, gates with the figures they judge, what to do next.
Text RolloutText(const v1::Rollout& rollout, int64_t now_unix_ms);

// Nothing more will happen to it.
bool IsOver(v1::Rollout::State state);

}  // namespace sluice::sluicectl
