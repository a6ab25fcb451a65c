#include "controlplane/admin/metrics_table.h"

#include <fmt/format.h>

namespace sluice::admin {

const std::vector<Metric>& Metrics() {
  static const auto* const metrics = new std::vector<Metric>{
      {"sluice_controller_build_info", "gauge", "version", "Always 1; the label says which build runs."},
      {"sluice_controller_version_revision", "gauge", "", "Revision of the current version; 0: none yet."},
      {"sluice_controller_changes_total", "counter", "outcome",
       "Documents and rollbacks by what became of them: done, unchanged, invalid, refused, timed_out."},
      {"sluice_controller_source_ok", "gauge", "",
       "1 when the watched file or directory is what runs; 0 when it has errors."},
      {"sluice_controller_nodes", "gauge", "state",
       "Nodes by state: synced, updating, rejected, lagging, draining, unreachable."},
      {"sluice_controller_streams_total", "counter", "", "Streams that proxies have opened."},
      {"sluice_controller_rejections_total", "counter", "", "Snapshots that a node refused."},
      {"sluice_controller_resyncs_total", "counter", "",
       "Snapshots that a node could not rebuild and was sent whole."},
      {"sluice_controller_snapshot_sent_bytes_total", "counter", "", "Snapshot bytes queued to nodes."},
      {"sluice_controller_store_bytes", "gauge", "", "Size of the store on disk."},
      {"process_resident_memory_bytes", "gauge", "", "Resident memory."},
      {"process_open_fds", "gauge", "", "Open descriptors."},
      {"process_cpu_seconds_total", "counter", "", "CPU time, user and system."},
      {"process_start_time_seconds", "gauge", "", "Start of the process, Unix time."},
  };
  return *metrics;
}

std::string Expose(const std::map<std::string_view, std::vector<Sample>>& samples) {
  std::string text;
  for (const Metric& metric : Metrics()) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric.name, metric.help, metric.name, metric.type);
    const auto found = samples.find(metric.name);
    if (found == samples.end()) continue;
    for (const Sample& sample : found->second) {
      if (sample.labels.empty()) {
        text += fmt::format("{} {}\n", metric.name, sample.value);
      } else {
        text += fmt::format("{}{{{}}} {}\n", metric.name, sample.labels, sample.value);
      }
    }
  }
  return text;
}

std::string MetricsMarkdown() {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Metric& metric : Metrics()) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", metric.name, metric.type, metric.labels, metric.help);
  }
  return text;
}

}  // namespace sluice::admin
