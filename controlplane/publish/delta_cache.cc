#include "controlplane/publish/delta_cache.h"

#include "common/snapshot/delta.h"

namespace sluice::publish {
namespace {

EncodedOffer EncodeOffer(const snapshot::Resources* base, const snapshot::Resources& target,
                         const v1::Version& version) {
  snapshot::EncodedDelta delta = snapshot::EncodeDelta(base, target, version);
  EncodedOffer encoded;
  const auto add = [&encoded](const v1::ControllerMessage& message) {
    encoded.messages.push_back(Encode(message));
    encoded.bytes += encoded.messages.back()->bytes.size();
  };
  v1::ControllerMessage message;
  *message.mutable_offer() = std::move(delta.offer);
  add(message);
  for (v1::Chunk& chunk : delta.chunks) {
    *message.mutable_chunk() = std::move(chunk);
    add(message);
  }
  return encoded;
}

}  // namespace

void DeltaCache::Know(const std::string& root, SharedResources resources) {
  std::erase_if(roots_, [&root](const auto& known) { return known.first == root; });
  roots_.emplace_back(root, std::move(resources));
  if (roots_.size() > kRootsMax) roots_.pop_front();
}

SharedResources DeltaCache::ResourcesOf(const std::string& root) {
  for (const auto& [known, resources] : roots_) {
    if (known == root) return resources;
  }
  SharedResources loaded = load_(root);
  if (loaded != nullptr) Know(root, loaded);
  return loaded;
}

const EncodedOffer& DeltaCache::Find(const std::string& base_root, const v1::Version& version,
                                     const SharedResources& target) {
  for (const Delta& delta : deltas_) {
    if (delta.base_root == base_root && delta.version.revision() == version.revision() &&
        delta.version.root() == version.root()) {
      return delta.offer;
    }
  }
  const SharedResources base = base_root.empty() ? nullptr : ResourcesOf(base_root);
  deltas_.push_back({base_root, version, EncodeOffer(base.get(), *target, version)});
  ++encoded_count_;
  if (deltas_.size() > kDeltasMax) deltas_.pop_front();
  return deltas_.back().offer;
}

}  // namespace sluice::publish
