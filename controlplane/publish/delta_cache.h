// Encoded deltas, shared by all nodes that go the same way, and the resources of recent roots to
// build on.
//
// Not thread-safe; the hub's lock guards it. When it is full the oldest goes; what is asked for
// again is encoded, or loaded, again.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/snapshot/delta.h"
#include "common/snapshot/snapshot.h"
#include "controlplane/publish/message.h"

namespace sluice::publish {

using snapshot::SharedResources;

// Offer and chunks, in order.
struct EncodedOffer {
  std::vector<SharedMessage> messages;
  uint64_t bytes = 0;  // Of all of them.
};

// The form of changes that a proxy takes, by what it said of itself.
snapshot::ChangedAs ChangedAsFor(const v1::Hello& hello);

class DeltaCache {
 public:
  static constexpr size_t kDeltasMax = 32;
  static constexpr size_t kRootsMax = 8;

  // Null when the root is not known: the delta then builds on nothing.
  using Load = std::function<SharedResources(const std::string& root)>;
  explicit DeltaCache(Load load) : load_(std::move(load)) {}

  // Remembers what a root stands for.
  void Know(const std::string& root, SharedResources resources);

  // What takes a node from `base_root` (empty: from nothing) to the version, in a form it takes.
  // Valid until the next call.
  const EncodedOffer& Find(const std::string& base_root, const v1::Version& version,
                           const SharedResources& target, snapshot::ChangedAs changed_as);

  uint64_t encoded_count() const { return encoded_count_; }

 private:
  SharedResources ResourcesOf(const std::string& root);

  struct Delta {
    std::string base_root;
    v1::Version version;
    snapshot::ChangedAs changed_as;
    EncodedOffer offer;
  };
  const Load load_;
  std::deque<Delta> deltas_;                                   // Oldest first.
  std::deque<std::pair<std::string, SharedResources>> roots_;  // Likewise.
  uint64_t encoded_count_ = 0;
};

}  // namespace sluice::publish
