#include "controlplane/admin/admin_pages.h"

namespace sluice::admin {
namespace {

web::HttpResponse Text(unsigned status, std::string body) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .body = std::move(body),
          .allow = {}};
}

constexpr std::string_view kIndex =
    "sluice-controller admin\n\n"
    "GET /healthz   the process runs\n"
    "GET /readyz    streams are served, here or by the controller that leads\n"
    "GET /metrics   figures for Prometheus\n\n"
    "sluicectl does everything else.\n";

}  // namespace

web::HttpResponse AnswerPages(const web::HttpRequest& request,
                              const std::function<absl::Status()>& ready,
                              const std::function<std::string()>& metrics) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (request.method != "GET") {
    web::HttpResponse refused = Text(405, "use GET\n");
    refused.allow = "GET";
    return refused;
  }
  if (path == "/") return Text(200, std::string(kIndex));
  if (path == "/healthz") return Text(200, "ok\n");
  if (path == "/readyz") {
    const absl::Status status = ready();
    return status.ok() ? Text(200, "ready\n") : Text(503, std::string(status.message()) + "\n");
  }
  if (path == "/metrics") {
    web::HttpResponse response = Text(200, metrics());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  return Text(404, "not found; GET / lists the paths\n");
}

web::HttpResponse AdminPages::Answer(const web::HttpRequest& request) const {
  return AnswerPages(
      request,
      [this]() -> absl::Status {
        if (!hub_.serving()) return absl::UnavailableError("the controller is ending");
        return store_.List(1).status();
      },
      [this] { return metrics_.Text(); });
}

}  // namespace sluice::admin
