// What makes a store of an earlier schema out of an empty one of today.
#pragma once

namespace sluice::store::testing {

inline constexpr char kBackToThree[] =
    "DROP TABLE token; DROP TABLE enrolled; DROP TABLE seal;"
    "ALTER TABLE audit DROP COLUMN role;"
    "ALTER TABLE audit DROP COLUMN refused;"
    "ALTER TABLE audit DROP COLUMN root_before;"
    "ALTER TABLE audit DROP COLUMN root_after;"
    "PRAGMA user_version=3";
// After kBackToThree.
inline constexpr char kBackToTwo[] =
    "DROP TABLE rollout; DROP TABLE bad_root; PRAGMA user_version=2";

}  // namespace sluice::store::testing
