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
    "GET /readyz    the store answers and streams are served\n"
    "GET /metrics   figures for Prometheus\n\n"
    "sluicectl does everything else.\n";

}  // namespace

web::HttpResponse AdminPages::Answer(const web::HttpRequest& request) const {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (request.method != "GET") {
    web::HttpResponse refused = Text(405, "use GET\n");
    refused.allow = "GET";
    return refused;
  }
  if (path == "/") return Text(200, std::string(kIndex));
  if (path == "/healthz") return Text(200, "ok\n");
  if (path == "/readyz") {
    if (!hub_.serving()) return Text(503, "the controller is ending\n");
    const auto versions = store_.List(1);
    if (!versions.ok()) return Text(503, std::string(versions.status().message()) + "\n");
    return Text(200, "ready\n");
  }
  if (path == "/metrics") {
    web::HttpResponse metrics = Text(200, metrics_.Text());
    metrics.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return metrics;
  }
  return Text(404, "not found; GET / lists the paths\n");
}

}  // namespace sluice::admin
