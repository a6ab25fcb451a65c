// Which route a request takes and why, by the very code the proxies run.
#pragma once

#include "common/snapshot/snapshot.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::build {

// Errors (kInvalidArgument) name what is wrong with the URL or the service. Health of endpoints is
// left to the caller, who knows the nodes.
absl::StatusOr<v1::ExplainResponse> Explain(const snapshot::Resources& resources,
                                            const v1::ExplainRequest& request);

}  // namespace sluice::build
