// Which route of the snapshot this proxy serves a request takes, and which endpoints follow, with
// the health this proxy sees.
#pragma once

#include "absl/status/statusor.h"
#include "common/snapshot/snapshot.h"
#include "nlohmann/json.hpp"
#include "sluice/v1/control_service.pb.h"

namespace sluice::control {

// `clusters`: Dataplane::DumpClusters(). Errors name what is wrong with the URL or the service.
absl::StatusOr<nlohmann::json> ExplainOnNode(const snapshot::Resources& resources,
                                             const nlohmann::json& clusters,
                                             const v1::ExplainOnNode& request);

}  // namespace sluice::control
