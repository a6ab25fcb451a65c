#include "controlplane/publish/delta_cache.h"

#include <algorithm>

namespace sluice::publish {
namespace {

EncodedOffer EncodeOffer(const snapshot::Resources* base, const snapshot::Resources& target,
                         const v1::Version& version, snapshot::ChangedAs changed_as) {
  snapshot::EncodedDelta delta = snapshot::EncodeDelta(base, target, version, changed_as);
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

snapshot::ChangedAs ChangedAsFor(const v1::Hello& hello) {
  const auto& features = hello.features();
  const bool delta = std::find(features.begin(), features.end(), snapshot::kResourceDeltaFeature) !=
                     features.end();
  return delta ? snapshot::ChangedAs::kDelta : snapshot::ChangedAs::kWhole;
}

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
                                     const SharedResources& target,
                                     snapshot::ChangedAs changed_as) {
  for (const Delta& delta : deltas_) {
    if (delta.base_root == base_root && delta.version.revision() == version.revision() &&
        delta.version.root() == version.root() && delta.changed_as == changed_as) {
      return delta.offer;
    }
  }
  const SharedResources base = base_root.empty() ? nullptr : ResourcesOf(base_root);
  deltas_.push_back(
      {base_root, version, changed_as, EncodeOffer(base.get(), *target, version, changed_as)});
  ++encoded_count_;
  if (deltas_.size() > kDeltasMax) deltas_.pop_front();
  return deltas_.back().offer;
}

}  // namespace sluice::publish
