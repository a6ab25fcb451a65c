// The controller's part in a rollout in waves: which strategy counts, how it begins, what its end
// means. RolloutRunner carries it out.
#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/apply/change.h"
#include "controlplane/yaml/draft.h"
#include "controlplane/yaml/wave.h"

namespace sluice::apply {

using Progress = v1::ApplyProgress;
using Choice = v1::StrategyChoice;

namespace {

std::string WaveText(const v1::Rollout& rollout) {
  return fmt::format("wave {} of {}", rollout.wave() + 1, rollout.waves_size());
}

v1::Rollout WithoutBaselines(v1::Rollout rollout) {
  for (v1::RolloutWave& wave : *rollout.mutable_waves()) wave.clear_baselines();
  return rollout;
}

std::string_view EndedAs(v1::Rollout::State state) {
  switch (state) {
    case v1::Rollout::COMPLETED:
      return "completed";
    case v1::Rollout::FAILED:
      return "failed and was taken back";
    case v1::Rollout::ABORTED:
      return "was aborted";
    default:
      return "was superseded";
  }
}

}  // namespace

absl::Status Controller::ResumeRollout() {
  const auto stored = store_.LatestRollout();
  if (absl::IsNotFound(stored.status())) return absl::OkStatus();
  RETURN_IF_ERROR(stored.status());
  // What came after it took its place.
  if (stored->version().revision() <= current()->info.version.revision()) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto resources, store_.Resources(stored->version().revision()));
  const auto hold = runner_.Hold();
  runner_.Resume(*stored, std::make_shared<const snapshot::Resources>(std::move(resources)));
  return absl::OkStatus();
}

absl::Status Controller::ChooseStrategy(Change& change) const {
  const Choice& choice = change.request.strategy;
  const bool overridden = choice.waves_size() > 0 || choice.has_bake_ms();
  // The first version has nothing to go back to and nobody to compare with.
  if (change.before->info.version.revision() == 0) return absl::OkStatus();
  if (choice.kind() == Choice::ALL_AT_ONCE) {
    if (!overridden) return absl::OkStatus();
    return absl::InvalidArgumentError("all-at-once has no waves and no bake time; leave them out");
  }
  if (choice.kind() == Choice::AS_CONFIGURED && !change.configured && !overridden) {
    return absl::OkStatus();
  }
  v1::RolloutStrategy strategy = change.configured.value_or(yaml::DefaultRollout());
  if (change.again_revision != 0) {
    const auto earlier = store_.GetRollout(change.again_revision);
    if (earlier.ok()) strategy = earlier->strategy();
  }
  if (choice.waves_size() > 0) *strategy.mutable_waves() = choice.waves();
  if (choice.has_bake_ms()) strategy.set_bake_ms(choice.bake_ms());
  if (const std::string problem = yaml::WavesProblem(strategy.waves()); !problem.empty()) {
    return absl::InvalidArgumentError(problem);
  }
  if (change.request.partial) {
    return absl::InvalidArgumentError(
        "--partial and waves exclude each other: a node that refuses the version fails its wave");
  }
  change.waves = std::move(strategy);
  return absl::OkStatus();
}

bool Controller::GuardAgainstBad(const Change& change, Progress* progress) const {
  if (change.request.force) return true;
  const auto why = store_.WhyBad(change.root);
  if (!why.ok()) {
    SetOutcome(progress, Progress::REFUSED, std::string(why.status().message()));
    return false;
  }
  if (why->empty()) return true;
  SetOutcome(
      progress, Progress::REFUSED,
      fmt::format("this content was taken back before ({}); if the cause is mended, apply it "
                  "with --force",
                  *why));
  return false;
}

// True: there is nothing to make. What is on its way is followed; what already runs everywhere else
// ends the rollout that is under way.
bool Controller::SameAsUnderWay(Change& change, Progress* progress) {
  if (change.request.dry_run != v1::ApplyRequest::NONE) return false;
  const auto hold = runner_.Hold();
  const v1::Rollout under_way = runner_.view();
  if (!rollout::IsActive(under_way.state())) return false;
  if (change.root == under_way.version().root()) {
    *progress->mutable_version() = under_way.version();
    *progress->mutable_rollout() = under_way;
    change.version.version = under_way.version();
    change.rolling = true;
    SetOutcome(progress, Progress::UNCHANGED,
               fmt::format("version {} is on its way already, {}", under_way.version().revision(),
                           WaveText(under_way)));
    return true;
  }
  if (change.root != under_way.stable().root()) return false;
  runner_.Supersede(fmt::format("version {} was asked for again", under_way.stable().revision()),
                    /*keep_nodes=*/false);
  *progress->mutable_version() = under_way.stable();
  *progress->mutable_rollout() = runner_.view();
  SetOutcome(progress, Progress::UNCHANGED,
             fmt::format("version {} runs, and the rollout of version {} is taken back",
                         under_way.stable().revision(), under_way.version().revision()));
  return true;
}

bool Controller::BeginWaves(Change& change, Progress* progress) {
  v1::Rollout record;
  *record.mutable_version() = change.version.version;
  *record.mutable_stable() = change.before->info.version;
  *record.mutable_strategy() = *change.waves;
  record.set_author(change.request.author);
  record.set_message(change.message);
  if (const absl::Status begun = runner_.Begin(std::move(record), change.resources); !begun.ok()) {
    hub_.Abandon();
    NotKept(change, begun, progress);
    return false;
  }
  const v1::Rollout rollout = runner_.view();
  FillNodes(change, progress);
  *progress->mutable_rollout() = rollout;
  SetOutcome(progress, Progress::DONE,
             fmt::format("version {} goes out in {} waves, the first to {} of {} nodes",
                         change.version.version.revision(), rollout.waves_size(),
                         rollout.waves(0).node_ids_size(),
                         rollout.waves(rollout.waves_size() - 1).size()));
  return true;
}

void Controller::AwaitRollout(const Change& change, const OnProgress& on_progress,
                              Progress* progress) {
  const uint64_t revision = change.version.version.revision();
  const auto timeout = change.request.timeout;
  uint64_t seen = 0;
  for (;;) {
    v1::Rollout rollout = runner_.view();
    if (rollout.version().revision() != revision) {
      // Another has taken its place.
      if (auto stored = store_.GetRollout(revision); stored.ok()) {
        rollout = WithoutBaselines(*std::move(stored));
      }
    }
    const bool over = !rollout::IsActive(rollout.state());
    *progress->mutable_rollout() = rollout;
    FillNodes(change, progress);
    if (rollout.state() == v1::Rollout::COMPLETED) {
      return SetOutcome(progress, Progress::DONE,
                        fmt::format("version {} is released to the whole fleet", revision));
    }
    if (over) {
      progress->clear_nodes();
      return SetOutcome(progress, Progress::TAKEN_BACK,
                        fmt::format("the rollout of version {} {}: {}; version {} runs", revision,
                                    EndedAs(rollout.state()), rollout.reason(),
                                    current()->info.version.revision()));
    }
    if (rollout.state() == v1::Rollout::PAUSED) {
      return SetOutcome(
          progress, Progress::PAUSED,
          fmt::format("the rollout of version {} is paused: {}", revision, rollout.reason()));
    }
    const bool late =
        timeout.count() > 0 && base::MonotonicMillis() - change.started_ms >= timeout.count();
    if (late || !hub_.serving()) {
      return SetOutcome(progress, Progress::TIMED_OUT,
                        fmt::format("version {} is still on its way, {}; `sluicectl rollout status "
                                    "--watch` follows it",
                                    revision, WaveText(rollout)));
    }
    progress->set_outcome(Progress::RUNNING);
    if (!on_progress(*progress)) return;
    seen = hub_.Wait(seen, kProgressPace);
  }
}

// From the runner, with its decisions held.
void Controller::OnRolloutEnd(const v1::Rollout& rollout, publish::SharedResources resources) {
  const uint64_t revision = rollout.version().revision();
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(rollout.author());
  entry.set_action("rollout");
  const bool completed = rollout.state() == v1::Rollout::COMPLETED;
  entry.set_root_before(current()->info.version.root());
  entry.set_root_after(completed ? rollout.version().root() : entry.root_before());
  entry.set_detail(fmt::format("the rollout of version {} {}{}{}", revision,
                               EndedAs(rollout.state()), rollout.reason().empty() ? "" : ": ",
                               rollout.reason()));
  if (const absl::Status status = store_.Audit(entry); !status.ok()) {
    base::LogError("{}", std::string(status.message()));
  }
  NotifyRolloutEnd(rollout, entry.detail());
  if (!completed) return;
  auto info = store_.Get(revision);
  if (!info.ok()) {
    base::LogError("{}", std::string(info.status().message()));
    return;
  }
  SetCurrent(*std::move(info), std::move(resources));
}

void Controller::NotifyRolloutEnd(const v1::Rollout& rollout, const std::string& message) const {
  if (notifier_ == nullptr) return;
  const bool completed = rollout.state() == v1::Rollout::COMPLETED;
  notify::Event event{.kind = notify::EventKind::kRollout,
                      .action = completed ? "completed" : "taken_back",
                      .version = rollout.version(),
                      .node_id = "",
                      .author = rollout.author(),
                      .message = message};
  notifier_->Publish(event);
  if (!completed) return;
  event.kind = notify::EventKind::kVersion;
  event.action = "released";
  event.message = fmt::format("version {} is released to the whole fleet, in waves",
                              rollout.version().revision());
  notifier_->Publish(std::move(event));
}

absl::StatusOr<v1::Rollout> Controller::GetRollout(uint64_t revision) const {
  const v1::Rollout view = runner_.view();
  if (view.version().revision() != 0 && (revision == 0 || revision == view.version().revision())) {
    return view;  // Fresher than what is stored.
  }
  ASSIGN_OR_RETURN(v1::Rollout stored,
                   revision == 0 ? store_.LatestRollout() : store_.GetRollout(revision));
  return WithoutBaselines(std::move(stored));
}

absl::StatusOr<v1::Rollout> Controller::ActOnRollout(v1::RolloutActionRequest request,
                                                     const Actor& actor) {
  request.set_author(actor.author);  // The record names who was proven, not who was claimed.
  v1::AuditEntry entry;
  entry.set_root_before(current()->info.version.root());
  v1::Rollout preflighted;
  auto rollout = EndPreflight(request, &preflighted) ? absl::StatusOr<v1::Rollout>(preflighted)
                                                     : runner_.Act(request);
  entry.set_root_after(current()->info.version.root());
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(actor.author);
  entry.set_role(actor.role);
  entry.set_peer(actor.peer);
  entry.set_action("rollout");
  entry.set_detail(
      fmt::format("{}{}{}: {}", v1::RolloutActionRequest::Action_Name(request.action()),
                  request.reason().empty() ? "" : " ", request.reason(),
                  rollout.ok() ? fmt::format("version {}", rollout->version().revision())
                               : "refused: " + std::string(rollout.status().message())));
  if (const absl::Status status = store_.Audit(entry); !status.ok()) {
    base::LogError("{}", std::string(status.message()));
  }
  return rollout;
}

}  // namespace sluice::apply
