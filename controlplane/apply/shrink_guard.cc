#include "controlplane/apply/shrink_guard.h"

#include <fmt/format.h>

#include "sluice/v1/route.pb.h"

namespace sluice::apply {
namespace {

constexpr int kFewest = 8;

bool Halved(int before, int after) { return before >= kFewest && after * 2 <= before; }

}  // namespace

SnapshotSize SizeOf(const snapshot::Resources& resources, const SnapshotSize& before) {
  SnapshotSize size;
  for (const auto& resource : resources) {
    size.upstreams += resource->kind() == v1::RESOURCE_KIND_CLUSTER;
    if (resource->kind() != v1::RESOURCE_KIND_ROUTE_TABLE) continue;
    const auto known = before.routes_of_table.find(resource->sha256());
    int routes = 0;
    if (known != before.routes_of_table.end()) {
      routes = known->second;
    } else {
      v1::RouteTable table;
      table.ParseFromString(resource->body());
      routes = table.routes_size();
    }
    size.routes_of_table.emplace(resource->sha256(), routes);
    size.routes += routes;
  }
  return size;
}

std::string Shrinkage(const SnapshotSize& before, const SnapshotSize& after) {
  if (Halved(before.routes, after.routes)) {
    return fmt::format("{} of {} routes would go", before.routes - after.routes, before.routes);
  }
  if (Halved(before.upstreams, after.upstreams)) {
    return fmt::format("{} of {} upstreams would go", before.upstreams - after.upstreams,
                       before.upstreams);
  }
  if (before.routes > 0 && after.routes == 0) return "no route would be left";
  return "";
}

}  // namespace sluice::apply
