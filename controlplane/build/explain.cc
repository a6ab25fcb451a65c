#include "controlplane/build/explain.h"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "controlplane/build/resolution.h"
#include "sluice/v1/cluster.pb.h"

namespace sluice::build {
namespace {

struct Parts {
  std::vector<v1::Listener> listeners;
  std::vector<v1::RouteTable> route_tables;
  std::unordered_map<std::string, const v1::Resource*> clusters;
};

// The snapshot was validated when it was built.
absl::StatusOr<Parts> Parse(const snapshot::Resources& resources) {
  Parts parts;
  bool parsed = true;
  for (const auto& resource : resources) {
    switch (resource->kind()) {
      case v1::RESOURCE_KIND_LISTENER:
        parsed &= parts.listeners.emplace_back().ParseFromString(resource->body());
        break;
      case v1::RESOURCE_KIND_ROUTE_TABLE:
        parsed &= parts.route_tables.emplace_back().ParseFromString(resource->body());
        break;
      case v1::RESOURCE_KIND_CLUSTER:
        parts.clusters.emplace(resource->name(), resource.get());
        break;
      default:
        break;
    }
  }
  if (!parsed) return absl::DataLossError("the snapshot has a resource that cannot be parsed");
  return parts;
}

void AddUpstreams(const v1::Forward& forward, const Parts& parts, v1::ExplainResponse* response) {
  double total = 0;
  for (const v1::WeightedCluster& choice : forward.clusters()) total += choice.weight();
  for (const v1::WeightedCluster& choice : forward.clusters()) {
    auto& share = *response->add_upstreams();
    share.set_upstream(choice.cluster());
    share.set_share(total > 0 ? choice.weight() / total : 0);
    const auto found = parts.clusters.find(choice.cluster());
    v1::Cluster cluster;
    if (found == parts.clusters.end() || !cluster.ParseFromString(found->second->body())) continue;
    for (const v1::Endpoint& endpoint : cluster.endpoints()) {
      share.add_endpoints()->set_address(endpoint.address());
    }
  }
}

}  // namespace

absl::StatusOr<v1::ExplainResponse> Explain(const snapshot::Resources& resources,
                                            const v1::ExplainRequest& request) {
  ASSIGN_OR_RETURN(const Parts parts, Parse(resources));
  const Resolver resolver(parts.listeners, parts.route_tables);
  ASSIGN_OR_RETURN(const Resolution resolution, resolver.Resolve(request, true));
  v1::ExplainResponse response;
  response.set_service(resolution.table->service());
  response.set_status(resolution.status);
  response.set_path_sent(resolution.path_sent);
  response.set_reason(resolution.reason);
  for (const auto& [index, matched, reason] : resolution.candidates) {
    auto& candidate = *response.add_candidates();
    candidate.set_route(resolution.table->routes(index).name());
    candidate.set_matched(matched);
    candidate.set_reason(reason);
  }
  if (resolution.route == nullptr) return response;
  response.set_route(resolution.route->name());
  if (!resolution.route->has_forward() || resolution.status != 0) return response;
  response.set_host_sent(resolution.host_sent);
  AddUpstreams(resolution.route->forward(), parts, &response);
  return response;
}

}  // namespace sluice::build
