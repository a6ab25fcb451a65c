#include "controlplane/admin/admin_pages.h"

#include <fmt/format.h>

#include "common/base/process.h"
#include "common/base/version.h"
#include "controlplane/admin/metrics_table.h"

namespace sluice::admin {
namespace {

web::Response Text(unsigned status, std::string body) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body), .allow = {}};
}

constexpr std::string_view kIndex =
    "sluice-controller admin\n\n"
    "GET /healthz   the process runs\n"
    "GET /readyz    the store answers and streams are served\n"
    "GET /metrics   figures for Prometheus\n\n"
    "sluicectl does everything else.\n";

std::string_view NameOf(v1::NodeStatus::State state) {
  switch (state) {
    case v1::NodeStatus::SYNCED:
      return "synced";
    case v1::NodeStatus::UPDATING:
      return "updating";
    case v1::NodeStatus::REJECTED:
      return "rejected";
    case v1::NodeStatus::LAGGING:
      return "lagging";
    case v1::NodeStatus::DRAINING:
      return "draining";
    default:
      return "unreachable";
  }
}

}  // namespace

web::Response AdminPages::Answer(const web::Request& request) const {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (request.method != "GET") {
    web::Response refused = Text(405, "use GET\n");
    refused.allow = "GET";
    return refused;
  }
  if (path == "/") return Text(200, std::string(kIndex));
  if (path == "/healthz") return Text(200, "ok\n");
  if (path == "/readyz") {
    const auto versions = store_.List(1);
    if (!versions.ok()) return Text(503, std::string(versions.status().message()) + "\n");
    return Text(200, "ready\n");
  }
  if (path == "/metrics") {
    web::Response metrics = Text(200, MetricsText());
    metrics.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return metrics;
  }
  return Text(404, "not found; GET / lists the paths\n");
}

std::string AdminPages::MetricsText() const {
  const v1::FleetStatus status = controller_.Status("");
  std::map<std::string_view, int> states = {{"synced", 0},  {"updating", 0}, {"rejected", 0},
                                            {"lagging", 0}, {"draining", 0}, {"unreachable", 0}};
  for (const v1::NodeStatus& node : status.nodes()) ++states[NameOf(node.state())];
  const apply::ApplyCounters changes = controller_.counters();
  const publish::HubCounters hub = hub_.counters();
  const base::ProcessFigures process = base::ReadProcessFigures();
  const bool source_ok = status.source().path().empty() || status.source().ok();

  std::map<std::string_view, std::vector<Sample>> samples;
  const auto set = [&samples](std::string_view name, double value, std::string labels = "") {
    samples[name].push_back({std::move(labels), value});
  };
  const auto number = [](auto value) { return static_cast<double>(value); };
  set("sluice_controller_build_info", 1, fmt::format("version=\"{}\"", base::Version()));
  set("sluice_controller_version_revision", number(status.version().revision()));
  set("sluice_controller_changes_total", number(changes.done), "outcome=\"done\"");
  set("sluice_controller_changes_total", number(changes.unchanged), "outcome=\"unchanged\"");
  set("sluice_controller_changes_total", number(changes.invalid), "outcome=\"invalid\"");
  set("sluice_controller_changes_total", number(changes.refused), "outcome=\"refused\"");
  set("sluice_controller_changes_total", number(changes.timed_out), "outcome=\"timed_out\"");
  set("sluice_controller_source_ok", source_ok ? 1 : 0);
  for (const auto& [state, count] : states) {
    set("sluice_controller_nodes", count, fmt::format("state=\"{}\"", state));
  }
  set("sluice_controller_streams_total", number(hub.streams_total));
  set("sluice_controller_rejections_total", number(hub.rejections_total));
  set("sluice_controller_resyncs_total", number(hub.resyncs_total));
  set("sluice_controller_snapshot_sent_bytes_total", number(hub.snapshot_bytes_total));
  set("sluice_controller_store_bytes", number(store_.FileBytes()));
  set("process_resident_memory_bytes", number(process.resident_bytes));
  set("process_open_fds", number(process.open_files));
  set("process_cpu_seconds_total", process.cpu_seconds);
  set("process_start_time_seconds", process.start_unix_seconds);
  return Expose(samples);
}

}  // namespace sluice::admin
