#include "controlplane/serve/admin_port.h"

#include "common/base/status_macros.h"
#include "controlplane/admin/admin_pages.h"
#include "controlplane/admin/controller_metrics.h"

namespace sluice::serve {

absl::Status AdminPort::Serve(web::HttpHandler handler) {
  {
    const std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
  }
  if (address_.empty() || listener_ != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      listener_, web::HttpListener::Open(context_, address_,
                                         [this](const web::HttpRequest& r) { return Answer(r); }));
  thread_ = std::thread([this] { context_.run(); });
  return absl::OkStatus();
}

AdminPort::~AdminPort() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void AdminPort::RemoveHandler() {
  const std::lock_guard lock(mutex_);
  handler_ = {};
}

web::HttpResponse AdminPort::Answer(const web::HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  if (handler_) return handler_(request);
  return admin::AnswerPages(
      request, [] { return absl::UnavailableError("the controller is starting or ending"); },
      &admin::FollowerMetrics);
}

}  // namespace sluice::serve
