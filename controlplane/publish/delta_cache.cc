#include "controlplane/publish/delta_cache.h"

#include <algorithm>

namespace sluice::publish {

void DeltaCache::Know(const std::string& root, SharedResources resources) {
  std::erase_if(roots_, [&root](const auto& known) { return known.first == root; });
  roots_.emplace_back(root, std::move(resources));
  if (roots_.size() > kRootsKept) roots_.pop_front();
}

SharedResources DeltaCache::Find(const std::string& root) {
  for (const auto& [known, resources] : roots_) {
    if (known == root) return resources;
  }
  SharedResources loaded = load_(root);
  if (loaded != nullptr) Know(root, loaded);
  return loaded;
}

const std::vector<SharedMessage>& DeltaCache::Messages(const std::string& base_root,
                                                       const v1::Version& version,
                                                       const SharedResources& target) {
  for (const Delta& delta : deltas_) {
    if (delta.base_root == base_root && delta.revision == version.revision() &&
        delta.root == version.root()) {
      return delta.messages;
    }
  }
  const SharedResources base = base_root.empty() ? nullptr : Find(base_root);
  snapshot::EncodedDelta encoded = snapshot::EncodeDelta(base.get(), *target, version);
  Delta& delta = deltas_.emplace_back();
  delta.base_root = base_root;
  delta.revision = version.revision();
  delta.root = version.root();
  auto offer = std::make_shared<v1::ControllerMessage>();
  *offer->mutable_offer() = std::move(encoded.offer);
  delta.messages.push_back(std::move(offer));
  for (v1::Chunk& chunk : encoded.chunks) {
    auto message = std::make_shared<v1::ControllerMessage>();
    *message->mutable_chunk() = std::move(chunk);
    delta.messages.push_back(std::move(message));
  }
  if (deltas_.size() > kDeltasKept) deltas_.pop_front();
  return deltas_.back().messages;
}

size_t DeltaCache::BytesOf(const std::vector<SharedMessage>& messages) {
  size_t bytes = 0;
  for (const SharedMessage& message : messages) bytes += message->ByteSizeLong();
  return bytes;
}

}  // namespace sluice::publish
