// What changed between two snapshots, for people.
#pragma once

#include "common/snapshot/snapshot.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::build {

// Added, removed, changed resources; for changed ones the fields, by protobuf reflection, routes
// matched by name. Private keys appear as "sha256:..." only.
std::vector<v1::ResourceChange> DiffResources(const snapshot::Resources& from,
                                              const snapshot::Resources& to);

}  // namespace sluice::build
