// Nodes of the fleet as a table.
#pragma once

#include <map>
#include <string>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/table.h"

namespace sluice::sluicectl {

std::string StateName(v1::NodeStatus::State state);
Style StateStyle(v1::NodeStatus::State state);
// Of the share of 5xx: more than one in a hundred are many.
Style ErrorStyle(double error_ratio);

Text NodesText(const v1::FleetStatus& status, int64_t now_unix_ms, bool wide);

// "a=b,c=d", sorted.
std::string LabelsText(const std::map<std::string, std::string>& labels);

}  // namespace sluice::sluicectl
