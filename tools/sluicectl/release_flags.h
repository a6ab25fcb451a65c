// How a version is to go out: the flags that apply and rollback share.
#pragma once

#include <string>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/command.h"

namespace sluice::sluicectl {

struct ReleaseFlags {
  bool wait = false;
  std::string message;
  bool partial = false;
  DurationMs timeout;           // 0: the controller's own choice.
  std::string kind;             // waves, all-at-once; empty: as configured.
  std::string waves;            // "1,10%,50%".
  DurationMs bake;              // 0: as configured.
  DurationMs preflight;         // 0: as configured.
  std::string preflight_nodes;  // Empty: likewise.
  Ratio max_changed_ratio;      // None: likewise.
  bool force = false;
};

// Bound to `flags`, which must outlive them.
std::vector<Flag> ReleaseFlagsOf(ReleaseFlags* flags);

void Fill(v1::ApplyRequest* request, const ReleaseFlags& flags);
void Fill(v1::RollbackRequest* request, const ReleaseFlags& flags);

}  // namespace sluice::sluicectl
