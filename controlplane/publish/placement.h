// What of a version each node gets: the services placed on it, and what they need.
//
// A service with `placement` is for nodes that have all these labels. Such a node gets the service,
// its routes, and the upstreams and certificates that its services name; nothing else of that kind
// ever leaves the controller for it. Settings, and services without placement, are for all. To the
// node, what it gets is the version: it has the same number, and a root of its own.
//
// Not thread-safe; the hub's lock guards it.
#pragma once

#include <google/protobuf/map.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/snapshot/snapshot.h"

namespace sluice::publish {

using snapshot::SharedResources;
using Labels = google::protobuf::Map<std::string, std::string>;

// A version as one node gets it.
struct PlacedVersion {
  v1::Version version;
  SharedResources resources;
};

class Placement {
 public:
  // Several are alive during a rollout: the stable one, the candidate, what comes next.
  static constexpr size_t kVersionsMax = 8;

  // The version itself where nothing of it is placed. Nodes with the same services share one.
  // Takes time by the number of labels, not of services. At most `parts_max` parts of a version are
  // remembered, whatever labels proxies claim; the oldest go, and are made again when asked for.
  std::shared_ptr<const PlacedVersion> Of(const v1::Version& version,
                                          const SharedResources& resources, const Labels& labels,
                                          size_t parts_max);
  // A part that was made and is remembered still, by its root; null: there is none.
  SharedResources FindPart(const std::string& root) const;

 private:
  using Selector = std::vector<std::string>;  // "key=value", sorted.
  using Matches = std::vector<size_t>;        // Of selectors, which; rising.

  struct Version {
    std::shared_ptr<const PlacedVersion> whole;
    std::vector<Selector> selectors;  // Each once; empty: nothing is placed.
    // By the first label of each.
    std::unordered_map<std::string, std::vector<size_t>> selectors_by_label;
    std::map<std::string, size_t> selector_of;  // By the service's name; of those placed.
    std::map<Matches, std::shared_ptr<const PlacedVersion>> parts;
    std::deque<Matches> parts_by_age;  // Oldest first.
  };
  static Matches MatchesOf(const Version& version, const Labels& labels);
  Version& Find(const v1::Version& version, const SharedResources& resources);
  static void ReadSelectors(Version* version);
  static std::shared_ptr<const PlacedVersion> MakePart(const Version& version,
                                                       const Matches& matches);

  std::deque<Version> versions_;  // Oldest first.
};

}  // namespace sluice::publish
