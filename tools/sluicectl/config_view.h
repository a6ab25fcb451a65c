// A version's configuration, decoded, and the health of its endpoints over the fleet.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "tools/sluicectl/output.h"
#include "tools/sluicectl/table.h"

namespace sluice::sluicectl {

struct ConfigView {
  std::vector<v1::Listener> listeners;
  std::vector<v1::RouteTable> tables;
  std::vector<v1::Cluster> clusters;
  std::vector<v1::CertificateInfo> certificates;
};

absl::StatusOr<ConfigView> DecodeConfig(const v1::GetConfigResponse& response);

// What the nodes that are connected say of one endpoint.
struct EndpointView {
  int healthy = 0;
  int nodes = 0;
  std::vector<std::string>
      reasons;  // "edge-1: connect: Connection refused", of the unhealthy ones.
};
using HealthView = std::map<std::pair<std::string, std::string>, EndpointView>;

// By cluster and address. Nodes that are unreachable do not count: what they said is old.
HealthView CollectHealth(const v1::FleetStatus& status);
// The same, of these nodes alone.
HealthView CollectHealth(const std::vector<const v1::NodeStatus*>& nodes);

// "3 of 3 nodes"; empty when no node has said anything.
std::string HealthText(const EndpointView& endpoint);
Style HealthStyle(const EndpointView& endpoint);

std::string StrategyText(const v1::Cluster& cluster);
std::string CheckText(const v1::Cluster& cluster);
// "forward users (90%), canary (10%)", "respond 404", "redirect 301 https://…".
std::string ActionText(const v1::Route& route);

Text ServicesText(const ConfigView& config, bool wide);
Text RoutesText(const ConfigView& config, bool wide);
Text UpstreamsText(const ConfigView& config, const HealthView& health, bool wide);

// Each cluster with `health`: a list of address, healthy_nodes, nodes, reasons.
Json UpstreamsJson(const ConfigView& config, const HealthView& health);

}  // namespace sluice::sluicectl
