// What the proxy's admin address answers, and the commands of the controller that ask the same.
//
// Control thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/web/http_listener.h"
#include "dataplane/control/activator.h"
#include "dataplane/control/dataplane.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::control {

class AdminPages {
 public:
  // Both must outlive it. `metrics`: the exposition in Prometheus' text format.
  AdminPages(Dataplane& dataplane, Activator& activator, std::function<std::string()> metrics)
      : dataplane_(dataplane), activator_(activator), metrics_(std::move(metrics)) {}

  web::HttpResponse Answer(const web::HttpRequest& request);
  web::HttpResponse AnswerMetrics(const web::HttpRequest& request);
  // JSON, or why not.
  absl::StatusOr<std::string> Run(const v1::Command& command);

 private:
  web::HttpResponse AnswerPage(std::string_view name, std::string_view query);
  web::HttpResponse AnswerAction(std::string_view name, std::string_view query);
  absl::StatusOr<nlohmann::json> Dump(std::string_view name) const;
  absl::StatusOr<nlohmann::json> Explain(const v1::ExplainOnNode& request) const;
  absl::Status SetDraining(bool draining, std::string_view asked_by);

  Dataplane& dataplane_;
  Activator& activator_;
  const std::function<std::string()> metrics_;
};

}  // namespace sluice::control
