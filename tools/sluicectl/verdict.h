// Whether all is well with the fleet and, if not, what to do next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/finding.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

// Empty: all is well. The most pressing first; what many nodes share is one finding.
std::vector<Finding> JudgeFleet(const v1::FleetStatus& status, int64_t now_unix_ms);

// "all is well: 3 nodes serve version 7", or the first finding.
std::string VerdictLine(const v1::FleetStatus& status, const std::vector<Finding>& findings);
Style VerdictStyle(const std::vector<Finding>& findings);

}  // namespace sluice::sluicectl
