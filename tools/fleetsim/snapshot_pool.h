// Snapshots as the nodes have them, each kept once however many nodes have it, and the ways from
// one to another.
//
// Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "common/snapshot/delta.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::fleetsim {

// Immutable.
struct PooledSnapshot {
  std::string root;  // Empty: nothing, as a proxy has before its first snapshot.
  snapshot::Resources resources;
  // The endpoints' part of a v1::Report, serialised: every one healthy.
  std::string endpoints;
};
using SnapshotPtr = std::shared_ptr<const PooledSnapshot>;

// One offer as bytes, when the nodes share the decoding: grown by whoever is ahead, compared by the
// others.
struct Transcript {
  explicit Transcript(v1::Offer offered, SnapshotPtr base_snapshot)
      : offer(std::move(offered)), base(std::move(base_snapshot)) {}

  const v1::Offer offer;
  const SnapshotPtr base;
  std::mutex mutex;  // Guards what follows.
  std::string data;  // Of the chunks.
  std::optional<absl::StatusOr<SnapshotPtr>> result;
};

class SnapshotPool {
 public:
  // A proxy's limit.
  static constexpr uint64_t kSnapshotBytesMax = uint64_t{512} << 20;

  // The snapshot of `root`, which `resources` were verified to have; what is there already wins.
  SnapshotPtr Intern(const std::string& root, snapshot::Resources resources);

  // Of this very offer on this very base; made if nobody holds it.
  std::shared_ptr<Transcript> TranscriptOf(const v1::Offer& offer, const SnapshotPtr& base);

 private:
  std::mutex mutex_;
  // Weak: who holds one is who needs it.
  std::map<std::string, std::weak_ptr<const PooledSnapshot>> snapshots_;
  std::map<std::string, std::weak_ptr<Transcript>> transcripts_;  // By the serialised offer.
};

}  // namespace sluice::fleetsim
