#include "controlplane/apply/source_places.h"

#include <exception>

#include "common/base/log.h"
#include "controlplane/build/sources.h"
#include "controlplane/yaml/draft.h"

namespace sluice::apply {
namespace {

// Only the places: what the document refers to need not be there any more.
build::SourceMap PlacesIn(const v1::Document& document) {
  std::vector<std::string> names;
  for (const v1::SourceFile& file : document.files()) names.push_back(file.path());
  // The libraries below could throw, if only for lack of memory.
  try {
    yaml::Problems problems(std::move(names));
    const yaml::Draft draft = yaml::ReadDraft(document, &problems);
    return build::MapSources(draft, problems);
  } catch (const std::exception& e) {
    base::LogError("a stored document cannot be read: {}", e.what());
    return {};
  }
}

}  // namespace

void SourcePlaces::Know(const std::string& root, build::SourceMap places) {
  Keep(root, std::make_shared<const build::SourceMap>(std::move(places)));
}

void SourcePlaces::Keep(const std::string& root, SharedMap places) {
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&root](const auto& known) { return known.first == root; });
  known_.emplace_back(root, std::move(places));
  if (known_.size() > kRootsMax) known_.pop_front();
}

SourcePlaces::SharedMap SourcePlaces::Read(const std::string& root) const {
  const auto revision = store_.RevisionOfRoot(root);
  if (!revision.ok()) return nullptr;
  const auto document = store_.Document(*revision);
  if (!document.ok()) return nullptr;
  return std::make_shared<const build::SourceMap>(PlacesIn(*document));
}

SourcePlaces::SharedMap SourcePlaces::Find(const std::string& root) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, places] : known_) {
      if (known == root) return places;
    }
  }
  SharedMap places = Read(root);
  if (places != nullptr) Keep(root, places);
  return places;
}

void SourcePlaces::Attach(const std::string& root, std::vector<v1::ResourceError>* errors) {
  if (errors->empty()) return;
  if (const SharedMap places = Find(root)) build::AttachSources(*places, errors);
}

}  // namespace sluice::apply
