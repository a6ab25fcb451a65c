// Which nodes are in which wave.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "controlplane/publish/node_view.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::rollout {

// Nodes that the version reaches in all once the wave is out, of a fleet of `nodes`; of a valid
// wave (yaml/wave.h). At least one, at most all; percentages are rounded up.
size_t ReachOf(std::string_view wave, size_t nodes);

// The waves with their nodes. All that are known and not cordoned are divided, those connected now
// before the others: a fleet that is away is no reason to release to whoever comes back first.
// Nodes that have nothing placed on them of what changes prove nothing: they come with the last
// wave, and numbers and percentages are of the others.
// Waves that would add nobody are left out; there is always a last one.
std::vector<v1::RolloutWave> PlanWaves(const v1::RolloutStrategy& strategy,
                                       const std::vector<publish::NodeView>& nodes);

}  // namespace sluice::rollout
