// Compiles a validated snapshot into a RuntimeConfig, taking over from the previous one what is the
// same.
//
// Control thread.
#pragma once

#include <memory>
#include <vector>

#include "common/config/validate.h"
#include "dataplane/runtime/runtime_config.h"
#include "dataplane/tls/ticket_keys.h"
#include "dataplane/upstream/health_monitor.h"
#include "dataplane/upstream/outlier_monitor.h"

namespace sluice::runtime {

struct BuildContext {
  observe::Registry& registry;
  upstream::HealthMonitor& health;
  upstream::OutlierMonitor& outliers;
  tls::TicketKeys& ticket_keys;
  const RuntimeConfig* previous;  // Null at first.
};

// Null when `errors` is not empty afterwards.
std::shared_ptr<const RuntimeConfig> BuildRuntime(const BuildContext& context,
                                                  const config::ParsedSnapshot& parsed,
                                                  const v1::Version& version,
                                                  std::vector<v1::ResourceError>* errors);

}  // namespace sluice::runtime
