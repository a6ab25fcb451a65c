// The tables of the store, and how a file of an earlier release gets them.
#pragma once

#include "controlplane/store/database.h"

namespace sluice::store {

inline constexpr int64_t kSchemaVersion = 6;
// From it on a store says how far it is in a log.
inline constexpr int64_t kJournalSchemaVersion = 6;

// Makes the tables in an empty file, brings an older file up to date (all of it or nothing), and
// refuses a newer one and another program's. `epoch` is given to a new store.
absl::Status PrepareSchema(Database& database, int64_t epoch);

}  // namespace sluice::store
