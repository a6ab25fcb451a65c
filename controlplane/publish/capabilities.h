// Whether a node can take a snapshot at all, by what it declared when it came: asked before a byte
// is sent, so that a fleet of several releases refuses what the oldest cannot do, by name.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/publish/delta_cache.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::publish {

// What a snapshot asks of whoever takes it.
struct SnapshotNeeds {
  struct Need {
    std::string_view feature;
    v1::ResourceId resource;
    std::string field;
  };
  uint64_t bytes = 0;
  std::vector<Need> needs;  // By feature, then resource; each pair once.
};

SnapshotNeeds NeedsOf(const snapshot::Resources& resources);

// Why the node cannot take it, in words for the operator; empty: it can. One error for each feature
// that it lacks, at the first resource that needs it.
std::vector<v1::ResourceError> WhatIsLacking(const SnapshotNeeds& needs, const v1::Hello& hello);

// True when the node knows all that snapshots of this build may ask for: then only the size is left
// to be checked.
bool KnowsEverything(const v1::Hello& hello);

// The same for recent roots, each looked through once, and only for nodes that lack something.
// `knows_everything` is KnowsEverything of the Hello: it is the same for all of a stream.
class Capabilities {
 public:
  static constexpr size_t kRootsMax = 4;

  std::vector<v1::ResourceError> WhatIsLacking(const std::string& root,
                                               const SharedResources& resources,
                                               const v1::Hello& hello, bool knows_everything);

 private:
  struct Known {
    std::string root;
    uint64_t bytes = 0;
    std::optional<SnapshotNeeds> needs;  // Once somebody needed to know.
  };
  Known& Find(const std::string& root, const SharedResources& resources);

  std::deque<Known> known_;  // Oldest first.
};

}  // namespace sluice::publish
