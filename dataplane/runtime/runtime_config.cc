#include "dataplane/runtime/runtime_config.h"

namespace sluice::runtime {

RuntimeConfig::~RuntimeConfig() {
  for (const auto& service : services) {
    registry.Release(observe::SlotKind::kListener, service->slot);
    registry.Release(observe::SlotKind::kRoute, service->no_route_slot);
    for (const Route& route : service->route_list) {
      for (const ClusterChoice& choice : route.choices) {
        registry.Release(observe::SlotKind::kRoute, choice.slot);
      }
      if (route.answer != nullptr) registry.Release(observe::SlotKind::kRoute, route.local_slot);
    }
  }
}

}  // namespace sluice::runtime
