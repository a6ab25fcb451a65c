// What the controller's admin address answers: health, readiness, metrics.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "common/web/http_listener.h"
#include "controlplane/admin/controller_metrics.h"

namespace sluice::admin {

// What a controller answers, whether it decides or not: `ready` says why it is not, `metrics` gives
// the figures.
web::HttpResponse AnswerPages(const web::HttpRequest& request,
                              const std::function<absl::Status()>& ready,
                              const std::function<std::string()>& metrics);

class AdminPages {
 public:
  // All must outlive it. `notifier` may be null.
  AdminPages(const apply::Controller& controller, const publish::Hub& hub,
             const store::VersionStore& store, const trust::Guard& guard,
             const notify::Notifier* notifier = nullptr)
      : hub_(hub), store_(store), metrics_(controller, hub, store, guard, notifier) {}

  web::HttpResponse Answer(const web::HttpRequest& request) const;

 private:
  const publish::Hub& hub_;
  const store::VersionStore& store_;
  const ControllerMetrics metrics_;
};

}  // namespace sluice::admin
