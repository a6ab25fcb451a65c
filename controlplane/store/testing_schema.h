// What makes a store of an earlier schema out of an empty one of today.
#pragma once

#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "common/base/status_macros.h"
#include "controlplane/store/database.h"
#include "controlplane/store/schema.h"

namespace sluice::store::testing {

// From version 6, 5, … to the one before it.
inline constexpr const char* kStepsBack[] = {
    "DROP TABLE journal",
    "DROP TABLE node_cordon; DROP TABLE node_label",
    "DROP TABLE token; DROP TABLE enrolled; DROP TABLE seal;"
    "ALTER TABLE audit DROP COLUMN role;"
    "ALTER TABLE audit DROP COLUMN refused;"
    "ALTER TABLE audit DROP COLUMN root_before;"
    "ALTER TABLE audit DROP COLUMN root_after",
    "DROP TABLE rollout; DROP TABLE bad_root",
};
static_assert(std::size(kStepsBack) == kSchemaVersion - 2);

// `version` is 2 at least.
inline absl::Status BackTo(Database& database, int64_t version) {
  for (int64_t at = kSchemaVersion; at > version; --at) {
    RETURN_IF_ERROR(database.Execute(kStepsBack[kSchemaVersion - at]));
  }
  return database.Execute("PRAGMA user_version=" + std::to_string(version));
}

}  // namespace sluice::store::testing
