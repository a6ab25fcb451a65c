// The controller's figures in Prometheus' text format.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/admin/metrics_table.h"
#include "controlplane/apply/controller.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/trust/guard.h"

namespace sluice::admin {

// Thread-safe.
class ControllerMetrics {
 public:
  // All must outlive it. `notifier` may be null.
  ControllerMetrics(const apply::Controller& controller, const publish::Hub& hub,
                    const store::VersionStore& store, const trust::Guard& guard,
                    const notify::Notifier* notifier)
      : controller_(controller), hub_(hub), store_(store), guard_(guard), notifier_(notifier) {}

  std::string Text() const;

 private:
  using Samples = std::map<std::string_view, std::vector<Sample>>;

  void SetCertificates(Samples& samples) const;

  const apply::Controller& controller_;
  const publish::Hub& hub_;
  const store::VersionStore& store_;
  const trust::Guard& guard_;
  const notify::Notifier* const notifier_;
  mutable std::mutex mutex_;               // Guards what follows.
  mutable std::string certificates_root_;  // The version whose certificates are below.
  mutable std::vector<Sample> certificates_;
};

// Of a controller that passes calls on to another one.
std::string FollowerMetrics();

}  // namespace sluice::admin
