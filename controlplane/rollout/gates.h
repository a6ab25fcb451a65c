// Whether nodes that have a new version are worse off than they were, and than those without it.
//
// Decisions only: figures in, findings out, each with the figures that decided it.
#pragma once

#include <string>
#include <vector>

#include "controlplane/publish/node_view.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::rollout {

// Fewer say nothing about a share of errors, or about the slowest of a hundred.
inline constexpr uint64_t kErrorsJudgedMin = 20;
inline constexpr uint64_t kErrorsCountMin = 5;
inline constexpr uint64_t kLatencyJudgedMin = 100;
// Added to what p99_increase_percent allows: below that the histogram's buckets are the difference.
inline constexpr double kLatencySlackMs = 10;

// One node of the changed ones, or all of them together (an empty id).
struct Judged {
  std::string id;
  publish::Traffic before;  // Before it had the version.
  publish::Traffic after;   // Since it has it.
};

// Of nodes that do not have the version, over the same time as `after`.
struct Control {
  publish::Traffic traffic;
  int nodes = 0;
  bool awaited = false;  // Some have not told yet: nothing is judged without them.
};

v1::RolloutFinding JudgeErrors(const v1::RolloutGates& gates, const Judged& subject,
                               const Control& control);
v1::RolloutFinding JudgeLatency(const v1::RolloutGates& gates, const Judged& subject,
                                const Control& control);

// Upstreams that have lost their healthy majority on a node with the version: `broken_before` had
// none on it before, `broken_elsewhere` have none on a node without the version either.
v1::RolloutFinding JudgeEndpoints(const publish::NodeView& node,
                                  const std::vector<std::string>& broken_before,
                                  const std::vector<std::string>& broken_elsewhere);

// Whether enough was served to judge by.
v1::RolloutFinding JudgeRequests(const v1::RolloutGates& gates, uint64_t requests);

}  // namespace sluice::rollout
