// What the controller's admin address answers: health, readiness, metrics.
#pragma once

#include "common/web/http_listener.h"
#include "controlplane/apply/controller.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/trust/guard.h"

namespace sluice::admin {

class AdminPages {
 public:
  // All must outlive it. `notifier` may be null.
  AdminPages(const apply::Controller& controller, const publish::Hub& hub,
             const store::VersionStore& store, const trust::Guard& guard,
             const notify::Notifier* notifier = nullptr)
      : controller_(controller), hub_(hub), store_(store), guard_(guard), notifier_(notifier) {}

  web::HttpResponse Answer(const web::HttpRequest& request) const;

 private:
  std::string MetricsText() const;

  const apply::Controller& controller_;
  const publish::Hub& hub_;
  const store::VersionStore& store_;
  const trust::Guard& guard_;
  const notify::Notifier* const notifier_;
};

}  // namespace sluice::admin
