// Tells a change from an accident: a document that lost half of what it had.
#pragma once

#include <map>
#include <string>

#include "common/snapshot/snapshot.h"

namespace sluice::apply {

// What the guard compares; taken once per version.
struct SnapshotSize {
  int routes = 0;
  int upstreams = 0;
  std::map<std::string, int> routes_of_table;  // By the table's hash.
};

// `before`: tables that it knows are not read again.
SnapshotSize SizeOf(const snapshot::Resources& resources, const SnapshotSize& before);

// What went missing, if it is so much that it looks like an accident; empty if not. Half of fewer
// than eight is no accident: small documents change by halves every day.
std::string Shrinkage(const SnapshotSize& before, const SnapshotSize& after);

}  // namespace sluice::apply
