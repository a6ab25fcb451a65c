// Where the resources of recent versions were written, for the errors that nodes send back.
//
// Thread-safe.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/build/snapshot_builder.h"
#include "controlplane/store/version_store.h"

namespace sluice::apply {

class SourcePlaces {
 public:
  static constexpr size_t kRootsMax = 4;

  explicit SourcePlaces(const store::VersionStore& store) : store_(store) {}

  // Nothing is read before somebody asks.
  void Know(const std::string& root, const v1::Document& document);
  // Of a root that is not known any more the stored document is read again.
  void Attach(const std::string& root, std::vector<v1::ResourceError>* errors);

 private:
  using SharedMap = std::shared_ptr<const build::SourceMap>;
  using SharedDocument = std::shared_ptr<const v1::Document>;
  struct Known {
    SharedMap places;         // Null until they were asked for.
    SharedDocument document;  // Null afterwards.
  };
  SharedMap Find(const std::string& root);
  SharedDocument Load(const std::string& root) const;
  void Keep(const std::string& root, Known known);

  const store::VersionStore& store_;
  std::mutex mutex_;
  std::deque<std::pair<std::string, Known>> known_;  // Oldest first.
};

}  // namespace sluice::apply
