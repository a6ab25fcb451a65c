// What the controller's admin address answers: health, readiness, metrics.
#pragma once

#include "common/web/http_listener.h"
#include "controlplane/apply/controller.h"
#include "controlplane/trust/guard.h"

namespace sluice::admin {

class AdminPages {
 public:
  // All must outlive it.
  AdminPages(const apply::Controller& controller, const publish::Hub& hub,
             const store::VersionStore& store, const trust::Guard& guard)
      : controller_(controller), hub_(hub), store_(store), guard_(guard) {}

  web::HttpResponse Answer(const web::HttpRequest& request) const;

 private:
  std::string MetricsText() const;

  const apply::Controller& controller_;
  const publish::Hub& hub_;
  const store::VersionStore& store_;
  const trust::Guard& guard_;
};

}  // namespace sluice::admin
