#include "controlplane/apply/source_places.h"

namespace sluice::apply {
void SourcePlaces::Know(const std::string& root, const v1::Document& document) {
  Keep(root, {.document = std::make_shared<const v1::Document>(document)});
}

void SourcePlaces::Keep(const std::string& root, Known known) {
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&root](const auto& entry) { return entry.first == root; });
  known_.emplace_back(root, std::move(known));
  if (known_.size() > kRootsMax) known_.pop_front();
}

SourcePlaces::SharedDocument SourcePlaces::Load(const std::string& root) const {
  const auto revision = store_.RevisionOfRoot(root);
  if (!revision.ok()) return nullptr;
  auto document = store_.Document(*revision);
  if (!document.ok()) return nullptr;
  return std::make_shared<const v1::Document>(*std::move(document));
}

SourcePlaces::SharedMap SourcePlaces::Find(const std::string& root) {
  Known known;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [other, entry] : known_) {
      if (other == root) known = entry;
    }
  }
  if (known.places != nullptr) return known.places;
  if (known.document == nullptr) known.document = Load(root);
  if (known.document == nullptr) return nullptr;
  known.places = std::make_shared<const build::SourceMap>(build::SourcesOf(*known.document));
  known.document = nullptr;  // It has told what is asked of it.
  Keep(root, known);
  return known.places;
}

void SourcePlaces::Attach(const std::string& root, std::vector<v1::ResourceError>* errors) {
  if (errors->empty()) return;
  if (const SharedMap places = Find(root)) build::AttachSources(*places, errors);
}

}  // namespace sluice::apply
