// The preflight of a change: live requests are routed by what is prepared, before anything changes.
#include <fmt/format.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "controlplane/apply/change.h"
#include "controlplane/rollout/strategy.h"
#include "controlplane/yaml/wave.h"

namespace sluice::apply {

using Progress = v1::ApplyProgress;
using Choice = v1::StrategyChoice;

namespace {

constexpr uint32_t kDefaultMs = 30'000;  // Where only the gate is configured.
constexpr uint32_t kLongestMs = 3'600'000;
constexpr std::chrono::milliseconds kPace{200};
// Nodes report every two seconds: the first word of one may come after the end of a short one.
constexpr int64_t kGraceMs = 5000;

constexpr double kPpm = 1e6;

std::string Percent(const v1::PreflightReport& figures) {
  const double share = figures.requests() == 0 ? 0
                                               : 100.0 * static_cast<double>(figures.changed()) /
                                                     static_cast<double>(figures.requests());
  return fmt::format("{} of {} live requests ({:.3g} %)", figures.changed(), figures.requests(),
                     share);
}

// What the gate has against it; empty: nothing.
std::string Judge(const v1::PreflightSummary& summary, std::optional<uint32_t> max_changed_ppm) {
  if (!max_changed_ppm) return "";
  const v1::PreflightReport& figures = summary.figures();
  const double allowed = *max_changed_ppm / kPpm;
  if (summary.node_ids_size() == 0) {
    return fmt::format(
        "preflight: no node could take part, so max_changed_ratio {} cannot be judged; nodes must "
        "be connected, serve a version and be new enough, or leave the gate out",
        allowed);
  }
  if (figures.requests() == 0) {
    return fmt::format(
        "preflight: no live request came in {:.1f} s, so max_changed_ratio {} cannot be judged; "
        "let it run longer, on more nodes, or leave the gate out",
        summary.elapsed_ms() / 1000.0, allowed);
  }
  const auto changed = static_cast<double>(figures.changed());
  if (changed <= allowed * static_cast<double>(figures.requests())) return "";
  return fmt::format("preflight: {} would be treated otherwise, max_changed_ratio allows {}",
                     Percent(figures), allowed);
}

// Nothing of what changes is placed on a node that is there: no request can be treated otherwise.
bool ConcernsNobody(const std::vector<publish::NodeView>& nodes) {
  const auto connected = [](const publish::NodeView& node) { return node.connected; };
  return std::any_of(nodes.begin(), nodes.end(), connected) &&
         std::none_of(nodes.begin(), nodes.end(), [](const publish::NodeView& node) {
           return node.connected && node.concerned;
         });
}

}  // namespace

absl::Status Controller::ChoosePreflight(Change& change) const {
  const Choice& choice = change.request.strategy;
  const v1::RolloutStrategy configured = change.configured.value_or(v1::RolloutStrategy());
  const v1::RolloutGates& gates = configured.gates();
  Change::PreflightPlan plan{.duration_ms = configured.preflight_ms(),
                             .nodes = configured.preflight_nodes(),
                             .order_by = configured.order_by()};
  if (gates.has_max_changed_ppm()) plan.max_changed_ppm = gates.max_changed_ppm();
  if (configured.preflight_sample_percent() > 0) {
    plan.sample_percent = configured.preflight_sample_percent();
  }
  // Who releases it all at once has no time for what is configured, only for what he asks for.
  if (choice.kind() == Choice::ALL_AT_ONCE) plan = {.order_by = configured.order_by()};
  if (!choice.preflight_nodes().empty()) plan.nodes = choice.preflight_nodes();
  if (choice.has_max_changed_ppm()) plan.max_changed_ppm = choice.max_changed_ppm();
  if (plan.duration_ms == 0 && plan.max_changed_ppm) plan.duration_ms = kDefaultMs;
  if (choice.has_preflight_ms()) plan.duration_ms = choice.preflight_ms();
  if (plan.duration_ms > kLongestMs) {
    return absl::InvalidArgumentError("a preflight takes an hour at most");
  }
  if (plan.duration_ms == 0 && !choice.preflight_nodes().empty()) {
    return absl::InvalidArgumentError(
        "--preflight-nodes says where, but there is no preflight; add --preflight 30s");
  }
  if (const std::string problem = plan.nodes.empty() ? "" : yaml::WaveProblem(plan.nodes);
      !problem.empty()) {
    return absl::InvalidArgumentError(problem);
  }
  // The first version of all has nothing beside it.
  if (plan.duration_ms == 0 || change.before->info.version.revision() == 0) {
    return absl::OkStatus();
  }
  if (change.request.dry_run == v1::ApplyRequest::NODES && runner_.active()) {
    return absl::FailedPreconditionError(fmt::format(
        "version {} is on its way in waves, which a preflight would hold up; wait for its end, or "
        "leave --preflight out",
        runner_.view().version().revision()));
  }
  change.preflight = std::move(plan);
  return absl::OkStatus();
}

bool Controller::Preflight(Change& change, const OnProgress& on_progress, Progress* progress) {
  const std::vector<publish::NodeView> nodes = hub_.View(change.root, change.preflight->order_by);
  if (ConcernsNobody(nodes)) return true;
  {
    const std::lock_guard lock(mutex_);
    preflight_of_ = change.version.version;
    preflight_ended_by_.clear();
  }
  std::string why = LookAhead(change, nodes, on_progress, progress);
  {
    const std::lock_guard lock(mutex_);
    preflight_of_.reset();
  }
  const v1::PreflightReport& figures = progress->preflight().figures();
  base::LogInfo("preflight of version {}: {} would be treated otherwise",
                change.version.version.revision(), Percent(figures));
  if (why.empty()) why = Judge(progress->preflight(), change.preflight->max_changed_ppm);
  if (why.empty()) return true;
  hub_.Abandon();
  if (change.request.dry_run == v1::ApplyRequest::NONE) {
    Refuse(change, why, progress);
  } else {
    SetOutcome(progress, Progress::REFUSED, why);
  }
  return false;
}

// Why it ended before its time; empty: it did not.
std::string Controller::LookAhead(const Change& change, const std::vector<publish::NodeView>& nodes,
                                  const OnProgress& on_progress, Progress* progress) {
  const Change::PreflightPlan& plan = *change.preflight;
  v1::RolloutStrategy where;
  where.set_order_by(plan.order_by);
  if (!plan.nodes.empty()) where.add_waves(plan.nodes);
  const v1::RolloutWave chosen = rollout::PlanWaves(where, nodes).front();
  hub_.BeginPreflight({chosen.node_ids().begin(), chosen.node_ids().end()}, plan.sample_percent);
  const int64_t started_ms = base::MonotonicMillis();
  for (;;) {
    v1::PreflightSummary summary = hub_.PreflightFindings();
    const int64_t elapsed_ms = base::MonotonicMillis() - started_ms;
    summary.set_duration_ms(plan.duration_ms);
    summary.set_elapsed_ms(static_cast<uint32_t>(elapsed_ms));
    *progress->mutable_preflight() = std::move(summary);
    const int64_t left_ms = plan.duration_ms - elapsed_ms;
    const bool all_have_told = progress->preflight().silent().empty();
    if (left_ms <= 0 && (all_have_told || left_ms <= -kGraceMs)) return "";
    progress->set_outcome(Progress::RUNNING);
    progress->set_elapsed_ms(static_cast<uint64_t>(base::MonotonicMillis() - change.started_ms));
    const bool heard = on_progress(*progress);
    if (!heard && change.request.dry_run != v1::ApplyRequest::NONE) {
      return "nobody waits for the answer any more";
    }
    if (queue_.WaitForPressure(kPace)) return "its preflight was ended by a newer change";
    if (!hub_.serving()) return "the controller is ending";
    const std::lock_guard lock(mutex_);
    if (!preflight_ended_by_.empty()) {
      return fmt::format("its preflight was ended by {}", preflight_ended_by_);
    }
  }
}

// `rollout abort` of a version that is not out yet. False: there is no such preflight.
bool Controller::EndPreflight(const v1::RolloutActionRequest& request, v1::Rollout* rollout) {
  if (request.action() != v1::RolloutActionRequest::ABORT) return false;
  const std::lock_guard lock(mutex_);
  if (!preflight_of_) return false;
  preflight_ended_by_ = request.author().empty() ? "an operator" : request.author();
  *rollout->mutable_version() = *preflight_of_;
  *rollout->mutable_stable() = current_->info.version;
  rollout->set_state(v1::Rollout::ABORTED);
  rollout->set_reason("its preflight was ended; no node had it");
  return true;
}

}  // namespace sluice::apply
