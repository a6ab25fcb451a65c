#include "controlplane/serve/admin_port.h"

#include "common/base/status_macros.h"
#include "controlplane/admin/admin_pages.h"
#include "controlplane/admin/controller_metrics.h"

namespace sluice::serve {

absl::StatusOr<std::unique_ptr<AdminPort>> AdminPort::Open(const std::string& address) {
  std::unique_ptr<AdminPort> port(new AdminPort);
  if (address.empty()) return port;
  ASSIGN_OR_RETURN(port->listener_,
                   web::HttpListener::Open(port->context_, address,
                                           [raw = port.get()](const web::HttpRequest& request) {
                                             return raw->Answer(request);
                                           }));
  port->thread_ = std::thread([context = &port->context_] { context->run(); });
  return port;
}

AdminPort::~AdminPort() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void AdminPort::SetHandler(web::HttpHandler handler) {
  const std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

web::HttpResponse AdminPort::Answer(const web::HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  if (handler_) return handler_(request);
  return admin::AnswerPages(
      request, [] { return absl::UnavailableError("the controller is starting or ending"); },
      &admin::FollowerMetrics);
}

}  // namespace sluice::serve
