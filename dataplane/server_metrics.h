// The proxy's figures in Prometheus' text format.
//
// Control thread.
#pragma once

#include <string>

#include "dataplane/control/activator.h"
#include "dataplane/observe/metrics_collectable.h"
#include "dataplane/server.h"

namespace sluice {

class ServerMetrics {
 public:
  // Both must outlive it.
  ServerMetrics(const Server& server, const control::Activator& activator);
  std::string Text() const { return collectable_.Render(); }

 private:
  observe::MetricsCollectable collectable_;
};

}  // namespace sluice
