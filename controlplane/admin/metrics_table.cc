#include "controlplane/admin/metrics_table.h"

#include <fmt/format.h>

namespace sluice::admin {

const std::vector<Metric>& Metrics() {
  static const auto* const metrics = new std::vector<Metric>{
      {"sluice_controller_build_info", "gauge", "version",
       "Always 1; the label says which build runs."},
      {"sluice_controller_leader", "gauge", "",
       "1 while this controller decides; 0 while it passes calls on to the one of several that "
       "does."},
      {"sluice_controller_version_revision", "gauge", "",
       "Revision of the current version; 0: none yet."},
      {"sluice_controller_changes_total", "counter", "outcome",
       "Documents and rollbacks by what became of them: done, unchanged, invalid, refused, "
       "timed_out, dry_run."},
      {"sluice_controller_versions", "gauge", "", "Versions in the store."},
      {"sluice_controller_source_ok", "gauge", "",
       "1 when the watched file or directory is what runs; 0 when it has errors."},
      {"sluice_controller_source_errors_total", "counter", "",
       "Times the watched file or directory could not be applied."},
      {"sluice_controller_rollout_seconds", "histogram", "le",
       "From the first offer of a version until every node was effective, refused or late; in "
       "waves the waiting between them is part of it, and a version taken back is not counted."},
      {"sluice_controller_rollout_wave", "gauge", "",
       "The wave that is out last while a rollout in waves is under way, from 1; 0: none is."},
      {"sluice_controller_rollout_paused", "gauge", "",
       "1 while a rollout in waves is paused or waits to be promoted."},
      {"sluice_controller_rollouts_taken_back_total", "counter", "",
       "Rollouts in waves that failed, were aborted or superseded."},
      {"sluice_controller_nodes", "gauge", "state",
       "Nodes by state: synced, updating, rejected, lagging, draining, cordoned "
       "(kept on an older version), unreachable."},
      {"sluice_controller_streams", "gauge", "", "Streams of proxies that are open."},
      {"sluice_controller_streams_total", "counter", "", "Streams that proxies have opened."},
      {"sluice_controller_rejections_total", "counter", "", "Snapshots that a node refused."},
      {"sluice_controller_resyncs_total", "counter", "",
       "Snapshots that a node could not rebuild and was sent whole."},
      {"sluice_controller_snapshot_sent_bytes_total", "counter", "",
       "Snapshot bytes queued to nodes."},
      {"sluice_controller_deltas_encoded_total", "counter", "",
       "Deltas that were encoded; every node that goes the same way shares one."},
      {"sluice_controller_refusals_total", "counter", "reason",
       "Calls that were not allowed, by why: no_credential, bad_credential, role, revoked, "
       "too_many_failures."},
      {"sluice_controller_certificate_not_after_seconds", "gauge", "certificate",
       "When a certificate of the current version expires, Unix time."},
      {"sluice_controller_store_bytes", "gauge", "", "Size of the store on disk."},
      {"sluice_controller_webhook_delivered_total", "counter", "webhook",
       "Events that a receiver has taken."},
      {"sluice_controller_webhook_failed_total", "counter", "webhook",
       "Events given up: refused, or tried in vain as often as `attempts` says."},
      {"sluice_controller_webhook_dropped_total", "counter", "webhook",
       "Events dropped because too many waited."},
      {"sluice_controller_webhook_retries_total", "counter", "webhook",
       "Further attempts to deliver an event."},
      {"sluice_controller_webhook_queued", "gauge", "webhook",
       "Events that are not delivered yet."},
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
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric.name, metric.help, metric.name,
                        metric.type);
    const auto found = samples.find(metric.name);
    if (found == samples.end()) continue;
    for (const Sample& sample : found->second) {
      text += fmt::format("{}{}", metric.name, sample.suffix);
      if (!sample.labels.empty()) text += fmt::format("{{{}}}", sample.labels);
      text += fmt::format(" {}\n", sample.value);
    }
  }
  return text;
}

std::string MetricsReference() {
  std::string text =
      "# Metrics of the controller\n\n"
      "What it serves at `/metrics` of `--admin-address`, in the Prometheus text format.\n\n"
      "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Metric& metric : Metrics()) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", metric.name, metric.type, metric.labels,
                        metric.help);
  }
  return text;
}

}  // namespace sluice::admin
