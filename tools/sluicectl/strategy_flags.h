// How a version is to go out: the flags that apply and rollback share.
#pragma once

#include <string>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/command.h"

namespace sluice::sluicectl {

struct StrategyFlags {
  std::string kind;             // waves, all-at-once; empty: as configured.
  std::string waves;            // "1,10%,50%".
  DurationMs bake;              // 0: as configured.
  DurationMs preflight;         // 0: as configured.
  std::string preflight_nodes;  // Empty: likewise.
  Ratio max_changed_ratio;      // None: likewise.
  bool force = false;
};

// Bound to `flags`, which must outlive them.
std::vector<Flag> StrategyFlagsOf(StrategyFlags* flags);

v1::StrategyChoice ChoiceOf(const StrategyFlags& flags);

}  // namespace sluice::sluicectl
