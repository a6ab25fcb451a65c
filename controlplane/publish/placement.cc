#include "controlplane/publish/placement.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"

namespace sluice::publish {
namespace {

using Names = std::unordered_set<std::string>;

template <typename Message>
Message Parsed(const v1::Resource& resource) {
  Message message;
  message.ParseFromString(resource.body());  // The controller made it: it is well-formed.
  return message;
}

bool HasAll(const Labels& labels, const std::vector<std::string>& selector) {
  return std::all_of(selector.begin(), selector.end(), [&labels](const std::string& label) {
    const size_t equals = label.find('=');
    const auto found = labels.find(label.substr(0, equals));
    return found != labels.end() && found->second == std::string_view(label).substr(equals + 1);
  });
}

void AddClustersOf(const v1::RouteTable& table, Names* clusters) {
  for (const v1::Route& route : table.routes()) {
    for (const v1::WeightedCluster& cluster : route.forward().clusters()) {
      clusters->insert(cluster.cluster());
    }
  }
}

bool IsListed(const v1::Resource& resource, const Names& listeners, const Names& clusters,
              const Names& certificates) {
  switch (resource.kind()) {
    case v1::RESOURCE_KIND_LISTENER:
    case v1::RESOURCE_KIND_ROUTE_TABLE:
      return listeners.contains(resource.name());
    case v1::RESOURCE_KIND_CLUSTER:
      return clusters.contains(resource.name());
    case v1::RESOURCE_KIND_CERTIFICATE:
      return certificates.contains(resource.name());
    default:
      return true;
  }
}

}  // namespace

std::shared_ptr<const PlacedVersion> Placement::Of(const v1::Version& version,
                                                   const SharedResources& resources,
                                                   const Labels& labels, size_t parts_max) {
  Version& found = Find(version, resources);
  if (found.selectors.empty()) return found.whole;
  Matches matches = MatchesOf(found, labels);
  if (const auto known = found.parts.find(matches); known != found.parts.end()) {
    return known->second;
  }
  while (!found.parts.empty() && found.parts.size() >= parts_max) {
    found.parts.erase(found.parts_by_age.front());
    found.parts_by_age.pop_front();
  }
  auto part = MakePart(found, matches);
  found.parts.emplace(matches, part);
  found.parts_by_age.push_back(std::move(matches));
  return part;
}

Placement::Matches Placement::MatchesOf(const Version& version, const Labels& labels) {
  Matches matches;
  for (const auto& [key, value] : labels) {
    const auto candidates = version.selectors_by_label.find(key + "=" + value);
    if (candidates == version.selectors_by_label.end()) continue;
    for (const size_t index : candidates->second) {
      if (HasAll(labels, version.selectors[index])) matches.push_back(index);
    }
  }
  std::sort(matches.begin(), matches.end());
  return matches;
}

SharedResources Placement::FindPart(const std::string& root) const {
  for (const Version& version : versions_) {
    for (const auto& [matches, part] : version.parts) {
      if (part->version.root() == root) return part->resources;
    }
  }
  return nullptr;
}

Placement::Version& Placement::Find(const v1::Version& version, const SharedResources& resources) {
  for (Version& known : versions_) {
    const v1::Version& whole = known.whole->version;
    if (whole.revision() == version.revision() && whole.root() == version.root() &&
        whole.epoch() == version.epoch()) {
      return known;
    }
  }
  if (versions_.size() == kVersionsMax) versions_.pop_front();
  Version& added = versions_.emplace_back();
  added.whole = std::make_shared<const PlacedVersion>(PlacedVersion{version, resources});
  ReadSelectors(&added);
  return added;
}

void Placement::ReadSelectors(Version* version) {
  if (version->whole->resources == nullptr) return;
  std::map<Selector, size_t> known;
  for (const auto& resource : *version->whole->resources) {
    if (resource->kind() != v1::RESOURCE_KIND_LISTENER) continue;
    const auto listener = Parsed<v1::Listener>(*resource);
    if (listener.placement().empty()) continue;
    Selector selector(listener.placement().begin(), listener.placement().end());
    std::sort(selector.begin(), selector.end());
    const auto [entry, inserted] = known.try_emplace(selector, version->selectors.size());
    if (inserted) {
      version->selectors_by_label[selector.front()].push_back(entry->second);
      version->selectors.push_back(std::move(selector));
    }
    version->selector_of.emplace(resource->name(), entry->second);
  }
}

std::shared_ptr<const PlacedVersion> Placement::MakePart(const Version& version,
                                                         const Matches& matches) {
  Names listeners, clusters, certificates;
  const snapshot::Resources& all = *version.whole->resources;
  for (const auto& resource : all) {
    if (resource->kind() != v1::RESOURCE_KIND_LISTENER) continue;
    const auto selector = version.selector_of.find(resource->name());
    if (selector != version.selector_of.end() &&
        !std::binary_search(matches.begin(), matches.end(), selector->second)) {
      continue;
    }
    listeners.insert(resource->name());
    const auto listener = Parsed<v1::Listener>(*resource);
    certificates.insert(listener.tls().certificates().begin(), listener.tls().certificates().end());
  }
  for (const auto& resource : all) {
    if (resource->kind() != v1::RESOURCE_KIND_ROUTE_TABLE) continue;
    if (listeners.contains(resource->name())) {
      AddClustersOf(Parsed<v1::RouteTable>(*resource), &clusters);
    }
  }
  for (const auto& resource : all) {
    if (resource->kind() != v1::RESOURCE_KIND_CLUSTER || !clusters.contains(resource->name())) {
      continue;
    }
    const auto cluster = Parsed<v1::Cluster>(*resource);
    if (!cluster.tls().client_certificate().empty()) {
      certificates.insert(cluster.tls().client_certificate());
    }
  }
  auto resources = std::make_shared<snapshot::Resources>();
  std::copy_if(all.begin(), all.end(), std::back_inserter(*resources), [&](const auto& resource) {
    return IsListed(*resource, listeners, clusters, certificates);
  });
  auto part = std::make_shared<PlacedVersion>();
  part->version = version.whole->version;
  part->version.set_root(snapshot::RootOf(*resources));
  part->resources = std::move(resources);
  return part;
}

}  // namespace sluice::publish
