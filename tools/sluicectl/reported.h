// What nodes report of endpoints and certificates, judged.
//
// Only what nodes with the current version say is told as the version's. What another version has
// (a cordoned node's, an older one's, a rollout's candidate) may be mended in the current one, and
// commands on upstreams and certificates show the current one: there the node is named.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/sluicectl/finding.h"

namespace sluice::sluicectl {

// The endpoints that nodes do not use, then the certificates that expire.
void JudgeReported(const v1::FleetStatus& status, int64_t now_unix_ms,
                   std::vector<Finding>* findings);

}  // namespace sluice::sluicectl
