// What to send to a node that has one snapshot so that it gets another, and how it rebuilds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/snapshot/snapshot.h"
#include "sluice/v1/control_service.pb.h"
#include "sluice/v1/resource_delta.pb.h"

namespace sluice::snapshot {

inline constexpr size_t kChunkBytesMax = 256 * 1024;

// A decoder refuses more: small resources take several times their encoded size in memory.
inline constexpr size_t kResourcesMax = 256 * 1024;

// In Hello.features of a proxy whose decoder takes v1::ResourceDelta.
inline constexpr std::string_view kResourceDeltaFeature = "resource-delta";

// How a resource that the base has under the same name is sent.
enum class ChangedAs : uint8_t {
  kWhole,  // As every decoder takes it.
  kDelta,  // Where it saves much, without the bytes that it begins and ends with as in the base:
           // one route among thousands then costs what it alone takes.
};

// Encoded once, shared by every node that goes the same way.
struct EncodedDelta {
  v1::Offer offer;
  std::vector<v1::Chunk> chunks;
};

// Both snapshots sorted; `version.root` must be RootOf(target). `base` may be null: everything is
// sent.
EncodedDelta EncodeDelta(const Resources* base, const Resources& target, const v1::Version& version,
                         ChangedAs changed_as = ChangedAs::kWhole);

// Proxy side: feed the Offer, then its Chunks in order; then Finish. After an error every further
// call gives the same error. The stream is not trusted: nothing larger than announced is kept, and
// resources are taken apart as they arrive.
//
// Errors: kDataLoss when asking for everything (Resync) may help: another root or base than
// expected, a resource that does not have its hash, one that comes twice, removal or change of one
// that is not there. kInvalidArgument for malformed bytes, kResourceExhausted beyond a limit.
class DeltaDecoder {
 public:
  // `base`: the resources the proxy has under offer.base_root, sorted; ignored if offer.base_root
  // is empty. `bytes_max`: of the chunks together, and of the rebuilt snapshot's names and bodies.
  DeltaDecoder(v1::Offer offer, Resources base, uint64_t bytes_max);

  // Refuses a chunk of another root, more bytes than announced, or a malformed resource.
  absl::Status Add(const v1::Chunk& chunk);

  // The rebuilt resources, sorted. kDataLoss when the recomputed root is not the offered one
  // (answer Resync); every resource's own hash is recomputed too, never trusted.
  absl::StatusOr<Resources> Finish() &&;

  // RootOf what Finish rebuilt, for Resync; empty before it got that far.
  const std::string& computed_root() const { return computed_root_; }

 private:
  absl::Status CheckChunk(const v1::Chunk& chunk) const;
  absl::Status TakeCompleteResources();
  absl::Status TakeResource(const char* bytes, size_t size);
  absl::Status CompleteBody(v1::ResourceDelta* delta);
  const v1::Resource* FindInBase(v1::ResourceKind kind, const std::string& name) const;
  absl::Status RemoveFromBase();
  absl::Status CheckSize(const Resources& rebuilt) const;
  absl::StatusOr<Resources> Rebuild();

  const v1::Offer offer_;
  Resources base_;
  const uint64_t bytes_max_;
  uint64_t bytes_received_ = 0;
  uint64_t bytes_kept_ = 0;  // Of the base, in received_.
  std::string data_;         // Received but not yet a whole resource.
  Resources received_;       // In the order they came.
  absl::Status status_;      // The first error.
  std::string computed_root_;
};

}  // namespace sluice::snapshot
