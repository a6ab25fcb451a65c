#include "dataplane/server_metrics.h"

#include "common/base/clock.h"
#include "common/base/version.h"

namespace sluice {
namespace {

std::vector<observe::EndpointGauge> EndpointsOf(const Server& server) {
  std::vector<observe::EndpointGauge> gauges;
  if (server.current() == nullptr) return gauges;
  for (const auto& cluster : server.current()->clusters) {
    for (const upstream::EndpointSpec& endpoint : cluster->endpoints) {
      gauges.push_back({cluster->name, endpoint.address, endpoint.health->healthy(),
                        endpoint.health->ejected()});
    }
  }
  return gauges;
}

std::vector<observe::EjectionCount> EjectionsOf(const Server& server) {
  std::vector<observe::EjectionCount> counts;
  if (server.current() == nullptr) return counts;
  for (const auto& cluster : server.current()->clusters) {
    if (cluster->outliers == nullptr) continue;
    for (size_t i = 0; i < static_cast<size_t>(upstream::OutlierReason::kCount); ++i) {
      const auto reason = static_cast<upstream::OutlierReason>(i);
      counts.push_back(
          {cluster->name, std::string(NameOf(reason)), cluster->outliers->ejections_total(reason)});
    }
  }
  return counts;
}

std::vector<observe::PanicGauge> PanicsOf(const Server& server) {
  std::vector<observe::PanicGauge> gauges;
  if (server.current() == nullptr) return gauges;
  for (const auto& cluster : server.current()->clusters) {
    gauges.push_back({cluster->name, cluster->in_panic()});
  }
  return gauges;
}

observe::OverloadFigures OverloadOf(const overload::LoadGate& gate) {
  using overload::Resource;
  const overload::Limits limits = gate.limits();
  observe::OverloadFigures figures;
  for (const auto& [resource, limit] : {std::pair{Resource::kMemory, limits.memory_bytes},
                                        std::pair{Resource::kConnections, limits.connections},
                                        std::pair{Resource::kDescriptors, limits.descriptors}}) {
    figures.resources.push_back({std::string(NameOf(resource)), limit, gate.shed_total(resource)});
  }
  figures.shedding = gate.sheds_requests();
  return figures;
}

observe::SnapshotGauges SnapshotOf(const Server& server, const control::Activator& activator) {
  observe::SnapshotGauges gauges;
  if (!server.serving()) return gauges;
  gauges.revision = activator.active_version().revision();
  gauges.age_seconds =
      static_cast<double>(base::UnixMillis() - server.effective_since_unix_ms()) / 1000;
  gauges.apply_seconds =
      static_cast<double>(activator.compile_micros() + activator.swap_micros()) / 1e6;
  return gauges;
}

}  // namespace

ServerMetrics::ServerMetrics(const Server& server, const control::Activator& activator)
    : collectable_(server.registry(),
                   {.endpoints = [&server] { return EndpointsOf(server); },
                    .ejections = [&server] { return EjectionsOf(server); },
                    .panics = [&server] { return PanicsOf(server); },
                    .snapshot = [&server, &activator] { return SnapshotOf(server, activator); },
                    .overload = [&server] { return OverloadOf(server.gate()); },
                    .access_log_dropped = [&server] { return server.access_log_dropped(); },
                    .build_version = std::string(base::Version())}) {}

}  // namespace sluice
