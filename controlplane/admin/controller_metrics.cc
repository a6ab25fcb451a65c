#include "controlplane/admin/controller_metrics.h"

#include <fmt/format.h>

#include "common/base/escape.h"
#include "common/base/process.h"
#include "common/base/version.h"
#include "common/config/certificate.h"

namespace sluice::admin {
namespace {

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
    case v1::NodeStatus::CORDONED:
      return "cordoned";
    default:
      return "unreachable";
  }
}

using Samples = std::map<std::string_view, std::vector<Sample>>;

template <typename Number>
void Set(Samples& samples, std::string_view name, Number value, std::string labels = "") {
  samples[name].push_back({std::move(labels), static_cast<double>(value)});
}

void SetProcess(Samples& samples) {
  const base::ProcessFigures process = base::ReadProcessFigures();
  Set(samples, "sluice_controller_build_info", 1, fmt::format("version=\"{}\"", base::Version()));
  Set(samples, "process_resident_memory_bytes", process.resident_bytes);
  Set(samples, "process_open_fds", process.open_files);
  Set(samples, "process_cpu_seconds_total", process.cpu_seconds);
  Set(samples, "process_start_time_seconds", process.start_unix_seconds);
}

void SetRollouts(Samples& samples, const publish::RolloutTimes& times) {
  std::vector<Sample>& list = samples["sluice_controller_rollout_seconds"];
  uint64_t reached = 0;
  for (size_t i = 0; i < times.counts.size(); ++i) {
    reached += times.counts[i];
    const std::string bound =
        i < times.kBoundsSeconds.size() ? fmt::format("{}", times.kBoundsSeconds[i]) : "+Inf";
    list.push_back({fmt::format("le=\"{}\"", bound), static_cast<double>(reached), "_bucket"});
  }
  list.push_back({"", times.sum_seconds, "_sum"});
  list.push_back({"", static_cast<double>(reached), "_count"});
}

void SetNodes(Samples& samples, const publish::Hub::StateCounts& counts) {
  for (const auto state :
       {v1::NodeStatus::SYNCED, v1::NodeStatus::UPDATING, v1::NodeStatus::REJECTED,
        v1::NodeStatus::LAGGING, v1::NodeStatus::DRAINING, v1::NodeStatus::CORDONED,
        v1::NodeStatus::UNREACHABLE}) {
    Set(samples, "sluice_controller_nodes", counts[static_cast<size_t>(state)],
        fmt::format("state=\"{}\"", NameOf(state)));
  }
}

void SetChanges(Samples& samples, const apply::ApplyCounters& changes) {
  const auto set = [&samples](std::string_view outcome, uint64_t count) {
    Set(samples, "sluice_controller_changes_total", count, fmt::format("outcome=\"{}\"", outcome));
  };
  set("done", changes.done);
  set("unchanged", changes.unchanged);
  set("invalid", changes.invalid);
  set("refused", changes.refused);
  set("timed_out", changes.timed_out);
  set("dry_run", changes.dry_runs);
  Set(samples, "sluice_controller_source_errors_total", changes.source_errors);
}

std::string Label(std::string_view name, std::string_view value) {
  std::string escaped;
  base::AppendPlainEscaped(&escaped, value);
  return fmt::format("{}=\"{}\"", name, escaped);
}

void SetWaves(Samples& samples, const v1::Rollout& rollout) {
  const bool active = rollout::IsActive(rollout.state());
  const bool waits =
      rollout.state() == v1::Rollout::PAUSED || rollout.state() == v1::Rollout::AWAITING;
  Set(samples, "sluice_controller_rollout_wave", active ? rollout.wave() + 1 : 0);
  Set(samples, "sluice_controller_rollout_paused", waits ? 1 : 0);
}

void SetWebhooks(Samples& samples, const notify::Notifier* notifier) {
  if (notifier == nullptr) return;
  for (const auto& [webhook, counters] : notifier->figures()) {
    const std::string label = Label("webhook", webhook);
    Set(samples, "sluice_controller_webhook_delivered_total", counters.delivered, label);
    Set(samples, "sluice_controller_webhook_failed_total", counters.failed, label);
    Set(samples, "sluice_controller_webhook_dropped_total", counters.dropped, label);
    Set(samples, "sluice_controller_webhook_retries_total", counters.retries, label);
    Set(samples, "sluice_controller_webhook_queued", counters.queued, label);
  }
}

}  // namespace

std::string FollowerMetrics() {
  Samples samples;
  SetProcess(samples);
  Set(samples, "sluice_controller_leader", 0);
  return Expose(samples);
}

std::string ControllerMetrics::Text() const {
  const v1::FleetStatus status = controller_.Summary();
  const publish::HubCounters hub = hub_.counters();
  const bool source_ok = status.source().path().empty() || status.source().ok();
  Samples samples;
  SetProcess(samples);
  Set(samples, "sluice_controller_leader", 1);
  Set(samples, "sluice_controller_version_revision", status.version().revision());
  Set(samples, "sluice_controller_versions", store_.CountVersions().value_or(0));
  SetChanges(samples, controller_.counters());
  Set(samples, "sluice_controller_source_ok", source_ok ? 1 : 0);
  SetRollouts(samples, hub.rollouts);
  SetWaves(samples, status.rollout());
  Set(samples, "sluice_controller_rollouts_taken_back_total", controller_.rollouts_taken_back());
  SetNodes(samples, hub_.CountStates());
  SetCertificates(samples);
  Set(samples, "sluice_controller_streams", hub.streams_open);
  Set(samples, "sluice_controller_streams_total", hub.streams_total);
  Set(samples, "sluice_controller_rejections_total", hub.rejections_total);
  Set(samples, "sluice_controller_resyncs_total", hub.resyncs_total);
  Set(samples, "sluice_controller_snapshot_sent_bytes_total", hub.snapshot_bytes_total);
  Set(samples, "sluice_controller_deltas_encoded_total", hub.deltas_encoded_total);
  for (const trust::Refusal refusal : trust::kRefusals) {
    Set(samples, "sluice_controller_refusals_total", guard_.refused(refusal),
        fmt::format("reason=\"{}\"", trust::NameOf(refusal)));
  }
  Set(samples, "sluice_controller_store_bytes", store_.FileBytes());
  SetWebhooks(samples, notifier_);
  return Expose(samples);
}

// Reading certificates is slow next to a scrape, so it is done once per version.
void ControllerMetrics::SetCertificates(Samples& samples) const {
  const auto current = controller_.current();
  const std::lock_guard lock(mutex_);
  if (current->info.version.root() != certificates_root_) {
    certificates_root_ = current->info.version.root();
    certificates_.clear();
    for (const auto& resource : *current->resources) {
      if (resource->kind() != v1::RESOURCE_KIND_CERTIFICATE) continue;
      v1::Certificate certificate;
      certificate.ParseFromString(resource->body());
      const auto info = config::DescribeCertificate(certificate);
      if (!info.ok()) continue;  // Validation has seen to it.
      certificates_.push_back(
          {Label("certificate", resource->name()), static_cast<double>(info->not_after_unix())});
    }
  }
  samples["sluice_controller_certificate_not_after_seconds"] = certificates_;
}

}  // namespace sluice::admin
