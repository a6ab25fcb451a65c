// One node's way through one offer: its chunks in, a verified snapshot out.
//
// Belongs to one node; not thread-safe. Errors are those of snapshot::DeltaDecoder.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tools/fleetsim/snapshot_pool.h"

namespace sluice::fleetsim {

class OfferReceiver {
 public:
  // `base` is what offer.base_root names, or nothing. With `decode_each` this node decodes by
  // itself; else its bytes are compared with those of the nodes that go the same way, and one of
  // them decodes for all: equal bytes on an equal base have the same outcome. Should its bytes
  // differ, it decodes by itself after all. `pool` must outlive it.
  OfferReceiver(const v1::Offer& offer, SnapshotPtr base, bool decode_each, SnapshotPool& pool);

  void Add(const v1::Chunk& chunk);  // An error is kept for Finish.
  absl::StatusOr<SnapshotPtr> Finish();

 private:
  void DecodeAlone();
  bool TakeShared(const v1::Chunk& chunk);
  absl::StatusOr<SnapshotPtr> FinishShared();

  SnapshotPool& pool_;
  const SnapshotPtr base_;
  const std::string root_;
  std::shared_ptr<Transcript> transcript_;         // Null: it decodes by itself.
  size_t received_bytes_ = 0;                      // Of the transcript.
  std::optional<snapshot::DeltaDecoder> decoder_;  // If it decodes by itself.
};

// Decodes a whole stream of chunks.
absl::StatusOr<SnapshotPtr> DecodeStream(const v1::Offer& offer, const PooledSnapshot& base,
                                         const std::string& data, SnapshotPool& pool);

}  // namespace sluice::fleetsim
