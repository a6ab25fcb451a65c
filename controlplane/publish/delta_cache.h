// Encoded deltas, shared by all nodes that go the same way, and the resources of recent roots to build on.
//
// Not thread-safe; the hub's lock guards it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/snapshot/delta.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::publish {

using SharedMessage = std::shared_ptr<const v1::ControllerMessage>;
using SharedResources = std::shared_ptr<const snapshot::Resources>;

class DeltaCache {
 public:
  static constexpr size_t kDeltasKept = 16;
  static constexpr size_t kRootsKept = 16;

  // Null when the root is not known: the delta then builds on nothing.
  using Load = std::function<SharedResources(const std::string& root)>;
  explicit DeltaCache(Load load) : load_(std::move(load)) {}

  // Remembers what a root stands for.
  void Know(const std::string& root, SharedResources resources);

  // Offer and chunks that take a node from `base_root` (empty: from nothing) to the version.
  const std::vector<SharedMessage>& Messages(const std::string& base_root, const v1::Version& version,
                                             const SharedResources& target);
  static size_t BytesOf(const std::vector<SharedMessage>& messages);

 private:
  SharedResources Find(const std::string& root);

  struct Delta {
    std::string base_root;
    uint64_t revision;
    std::string root;
    std::vector<SharedMessage> messages;
  };
  const Load load_;
  std::deque<Delta> deltas_;                                   // Oldest first.
  std::deque<std::pair<std::string, SharedResources>> roots_;  // Likewise.
};

}  // namespace sluice::publish
