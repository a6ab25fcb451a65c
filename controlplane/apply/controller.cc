#include "controlplane/apply/controller.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/apply/change.h"
#include "controlplane/build/diff.h"

namespace sluice::apply {

using Progress = v1::ApplyProgress;

namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

Controller::Controller(store::VersionStore& store, publish::Hub& hub,
                       const notify::Notifier* notifier)
    : store_(store),
      hub_(hub),
      notifier_(notifier),
      build_options_{.private_folder = store.directory()},
      places_(store),
      runner_(store, hub, notifier,
              [this](const v1::Rollout& rollout, publish::SharedResources resources) {
                OnRolloutEnd(rollout, std::move(resources));
              }) {}

absl::Status Controller::Start() {
  const auto found = store_.Current();
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  RETURN_IF_ERROR(found.status());
  ASSIGN_OR_RETURN(auto resources, store_.Resources(found->version.revision()));
  if (snapshot::RootOf(resources) != found->version.root()) {
    return absl::DataLossError(
        fmt::format("version {} in the store is damaged: its root does not fit; restore the data "
                    "directory from a copy or start with an empty --data-dir",
                    found->version.revision()));
  }
  auto shared = std::make_shared<const snapshot::Resources>(std::move(resources));
  hub_.SetReleased(found->version, shared);
  base::LogInfo("version {} is current", found->version.revision());
  SetCurrent(*found, std::move(shared));
  return ResumeRollout();
}

void Controller::SetCurrent(store::StoredVersion info, publish::SharedResources resources) {
  auto current = std::make_shared<CurrentVersion>();
  info.state = store::VersionState::kCurrent;
  current->info = std::move(info);
  current->size = SizeOf(*resources, {});
  current->resources = std::move(resources);
  const std::lock_guard lock(mutex_);
  current_ = std::move(current);
}

// --- The story.

void Controller::Apply(const v1::Document& document, const ChangeRequest& request,
                       const OnProgress& on_progress) {
  Change change{.request = request, .message = request.message};
  Progress progress;
  {
    const ChangeQueue::Turn turn(queue_, request.dry_run == v1::ApplyRequest::NONE);
    change.before = current();
    if (!turn.entered()) {
      SetOutcome(&progress, Progress::REFUSED,
                 fmt::format("{} changes are waiting already; try again later", kWaitingMax));
    } else if (Build(document, change, &progress)) {
      Make(change, on_progress, &progress);
    }
    Finish(change, &progress);
  }
  // Others may change things while this one's waves go out.
  if (change.rolling && request.wait) AwaitRollout(change, on_progress, &progress);
  on_progress(progress);
}

void Controller::Rollback(uint64_t revision, const ChangeRequest& request,
                          const OnProgress& on_progress) {
  Change change{.request = request, .message = request.message};
  Progress progress;
  {
    const ChangeQueue::Turn turn(queue_, request.dry_run == v1::ApplyRequest::NONE);
    change.before = current();
    if (!turn.entered()) {
      SetOutcome(&progress, Progress::REFUSED,
                 fmt::format("{} changes are waiting already; try again later", kWaitingMax));
    } else if (const absl::Status status = LoadTarget(revision, change); !status.ok()) {
      SetOutcome(&progress, Progress::REFUSED, Text(status));
    } else {
      Make(change, on_progress, &progress);
    }
    Finish(change, &progress);
  }
  if (change.rolling && request.wait) AwaitRollout(change, on_progress, &progress);
  on_progress(progress);
}

// Its resources are known; from here on a document and a rollback go the same way.
void Controller::Make(Change& change, const OnProgress& on_progress, Progress* progress) {
  const auto changes = build::DiffResources(*change.before->resources, *change.resources);
  for (const v1::ResourceChange& one : changes) *progress->add_changes() = one;
  if (!Guard(change, progress)) return;
  absl::Status chosen = ChooseStrategy(change);
  chosen.Update(ChoosePreflight(change));
  if (!chosen.ok()) {
    SetOutcome(progress, Progress::REFUSED, Text(chosen));
    return;
  }
  if (change.request.dry_run == v1::ApplyRequest::SERVER) {
    SetOutcome(progress, Progress::DRY_RUN_OK,
               fmt::format("valid; {} resources would change", changes.size()));
    return;
  }
  if (change.request.dry_run == v1::ApplyRequest::NODES) {
    DryRunOnNodes(change, on_progress, progress);
    return;
  }

  const absl::Status stored = StorePending(change, static_cast<int>(changes.size()));
  if (!stored.ok()) {
    SetOutcome(progress, Progress::REFUSED, Text(stored));
    return;
  }
  // Whatever happens now, the version is on disk. A rollout in waves that is under way goes no
  // further until it is known whether this version takes its place.
  *progress->mutable_version() = change.version.version;
  auto hold = runner_.Hold();
  if (change.preflight && runner_.active()) {
    // Neither could wait for the other's end.
    runner_.Supersede(fmt::format("version {} came, with a preflight of its own",
                                  change.version.version.revision()),
                      /*keep_nodes=*/false);
  }
  StartRollout(change, /*dry_run=*/false);
  if (AwaitPrepared(change, on_progress, progress) == publish::RolloutPhase::kRefused) {
    Refuse(change, "a node refused the version; every node keeps the one before", progress);
    return;
  }
  if (change.preflight) {
    hold.unlock();  // Nothing is under way, and nothing can begin before this change is over.
    if (!Preflight(change, on_progress, progress)) return;
    hold.lock();
  }
  // Every node that answered has it ready, and none serves it.
  if (change.waves) {
    change.rolling = BeginWaves(change, progress);
    return;
  }
  // First it becomes current on disk: a controller that dies now comes back with it.
  if (!MakeCurrent(change, progress)) return;
  runner_.Supersede(fmt::format("version {} took its place", change.version.version.revision()),
                    /*keep_nodes=*/true);
  if (!hub_.Release()) {
    SetOutcome(progress, Progress::TIMED_OUT,
               fmt::format("version {} is current; the controller is ending, the nodes get it when "
                           "it is back",
                           change.version.version.revision()));
    return;
  }
  FillNodes(change, progress);
  SetOutcome(progress, Progress::DONE,
             fmt::format("version {} is released", change.version.version.revision()));
  if (change.request.wait) AwaitEffective(change, on_progress, progress);
}

// --- Its steps.

bool Controller::Build(const v1::Document& document, Change& change, Progress* progress) {
  build::BuildResult built = build::BuildSnapshot(document, build_options_);
  for (const v1::Problem& problem : built.problems) *progress->add_problems() = problem;
  if (!built.ok()) {
    SetOutcome(progress, Progress::INVALID, "the document has errors; nothing changed");
    return false;
  }
  change.size = SizeOf(built.resources, change.before->size);
  change.resources = std::make_shared<const snapshot::Resources>(std::move(built.resources));
  change.root = built.root;
  change.configured = std::move(built.rollout);
  change.document = document;
  places_.Know(built.root, document);
  return true;
}

absl::StatusOr<uint64_t> Controller::Predecessor() const {
  ASSIGN_OR_RETURN(const auto versions, store_.List(store::VersionStore::kVersionsKept));
  for (const store::StoredVersion& version : versions) {
    if (version.state == store::VersionState::kSuperseded) return version.version.revision();
  }
  return absl::NotFoundError("there is no earlier version to go back to");
}

absl::Status Controller::LoadTarget(uint64_t revision, Change& change) const {
  if (revision == 0 && runner_.active()) {
    revision = change.before->info.version.revision();  // Out of what is under way.
  } else if (revision == 0) {
    ASSIGN_OR_RETURN(revision, Predecessor());
  }
  ASSIGN_OR_RETURN(const store::StoredVersion target, store_.Get(revision));
  ASSIGN_OR_RETURN(snapshot::Resources resources, store_.Resources(revision));
  if (snapshot::RootOf(resources) != target.version.root()) {
    return absl::DataLossError(
        fmt::format("version {} is damaged in the store: its root does not fit", revision));
  }
  ASSIGN_OR_RETURN(change.document, store_.Document(revision));
  change.size = SizeOf(resources, change.before->size);
  change.resources = std::make_shared<const snapshot::Resources>(std::move(resources));
  change.root = target.version.root();
  change.again_revision = revision;
  if (change.message.empty()) change.message = fmt::format("rollback to version {}", revision);
  return absl::OkStatus();
}

bool Controller::Guard(Change& change, Progress* progress) {
  const ChangeRequest& request = change.request;
  const v1::Version& now = change.before->info.version;
  const v1::Rollout under_way = runner_.view();
  const uint64_t newest =
      rollout::IsActive(under_way.state()) ? under_way.version().revision() : now.revision();
  if (request.if_version != 0 && request.if_version != newest) {
    SetOutcome(progress, Progress::REFUSED,
               fmt::format("version {} is {}, not {}: somebody was faster; look at `sluicectl "
                           "diff` and apply again",
                           newest, newest == now.revision() ? "current" : "on its way",
                           request.if_version));
    return false;
  }
  if (SameAsUnderWay(change, progress)) return false;
  // Nodes are asked also for what runs: one that refused it may have been mended.
  if (now.revision() != 0 && change.root == now.root() &&
      request.dry_run != v1::ApplyRequest::NODES) {
    *progress->mutable_version() = now;
    SetOutcome(progress, Progress::UNCHANGED,
               fmt::format("version {} already runs", now.revision()));
    return false;
  }
  if (!GuardAgainstBad(change, progress)) return false;
  // Going back to what ran once is no accident.
  if (request.allow_shrink || request.source == "rollback") return true;
  const std::string shrinkage = Shrinkage(change.before->size, change.size);
  if (shrinkage.empty()) return true;
  SetOutcome(progress, Progress::REFUSED,
             fmt::format("{}; if that is meant, apply with --allow-shrink", shrinkage));
  return false;
}

absl::Status Controller::StorePending(Change& change, int changes) {
  store::StoredVersion& version = change.version;
  version.version.set_root(change.root);
  version.created_unix_ms = base::UnixMillis();
  version.author = change.request.author;
  version.message = change.message;
  version.source = change.request.source;
  version.changes = changes;
  return store_.Add(&version, *change.resources, change.document);
}

void Controller::StartRollout(const Change& change, bool dry_run) {
  hub_.StartRollout({.version = change.version.version,
                     .resources = change.resources,
                     .partial = change.request.partial,
                     .dry_run = dry_run,
                     .keep = change.preflight.has_value()});
}

publish::RolloutPhase Controller::AwaitPrepared(const Change& change, const OnProgress& on_progress,
                                                Progress* progress) {
  while (!hub_.WaitPrepared(kProgressPace)) {
    if (!change.request.wait && change.request.dry_run == v1::ApplyRequest::NONE) continue;
    progress->set_outcome(Progress::RUNNING);
    FillNodes(change, progress);
    on_progress(*progress);
  }
  FillNodes(change, progress);
  return hub_.ViewRollout().phase;
}

void Controller::Refuse(const Change& change, const std::string& why, Progress* progress) {
  const absl::Status status =
      store_.SetState(change.version.version.revision(), store::VersionState::kRefused);
  if (!status.ok()) base::LogError("{}", Text(status));
  SetOutcome(progress, Progress::REFUSED,
             hub_.serving() ? why : "the controller is ending; nothing changed");
}

void Controller::NotKept(const Change& change, const absl::Status& status, Progress* progress) {
  if (!absl::IsUnavailable(status)) {
    Refuse(change, Text(status) + "; every node keeps the version before", progress);
    return;
  }
  // Another controller may find it written, and release it.
  SetOutcome(progress, Progress::TIMED_OUT,
             fmt::format("{}: `sluicectl status` tells which version runs", Text(status)));
}

bool Controller::MakeCurrent(Change& change, Progress* progress) {
  const absl::Status status =
      store_.SetState(change.version.version.revision(), store::VersionState::kCurrent);
  if (!status.ok()) {
    hub_.Abandon();
    NotKept(change, status, progress);
    return false;
  }
  SetCurrent(change.version, change.resources);
  // Whoever released it at once has answered for it.
  if (const absl::Status cleared = store_.ClearBad(change.root); !cleared.ok()) {
    base::LogError("{}", Text(cleared));
  }
  return true;
}

void Controller::DryRunOnNodes(Change& change, const OnProgress& on_progress, Progress* progress) {
  v1::Version& version = change.version.version;
  version.set_epoch(store_.epoch());
  version.set_revision(change.before->info.version.revision() + 1);
  version.set_root(change.root);
  StartRollout(change, /*dry_run=*/true);
  const publish::RolloutPhase phase = AwaitPrepared(change, on_progress, progress);
  const bool prepared = phase != publish::RolloutPhase::kRefused;
  if (change.preflight && phase == publish::RolloutPhase::kPrepared) {
    if (!Preflight(change, on_progress, progress)) return;
    hub_.Abandon();
  }
  SetOutcome(progress, prepared ? Progress::DRY_RUN_OK : Progress::REFUSED,
             prepared ? "every node that answered could prepare it; nothing changed"
                      : "a node would refuse it; nothing changed");
}

void Controller::AwaitEffective(const Change& change, const OnProgress& on_progress,
                                Progress* progress) {
  const auto timeout = change.request.timeout.count() > 0 ? change.request.timeout : kWaitDefault;
  const int64_t deadline_ms = change.started_ms + timeout.count();
  for (;;) {
    const int64_t left_ms = deadline_ms - base::MonotonicMillis();
    const auto pace =
        std::min(kProgressPace, std::chrono::milliseconds(std::max<int64_t>(left_ms, 0)));
    const bool settled = hub_.WaitSettled(pace);
    FillNodes(change, progress);
    if (settled || left_ms <= 0) break;
    progress->set_outcome(Progress::RUNNING);
    on_progress(*progress);
  }
  int effective = 0;
  for (const v1::NodeProgress& node : progress->nodes()) {
    effective += node.stage() == v1::NodeProgress::EFFECTIVE;
  }
  SetOutcome(progress, effective == progress->nodes_size() ? Progress::DONE : Progress::TIMED_OUT,
             fmt::format("version {} is effective on {} of {} nodes",
                         change.version.version.revision(), effective, progress->nodes_size()));
}

void Controller::FillNodes(const Change& change, Progress* progress) const {
  progress->clear_nodes();
  for (v1::NodeProgress& node : hub_.ViewRollout().nodes) {
    std::vector<v1::ResourceError> errors(node.errors().begin(), node.errors().end());
    places_.Attach(change.root, &errors);
    node.clear_errors();
    for (v1::ResourceError& error : errors) *node.add_errors() = std::move(error);
    *progress->add_nodes() = std::move(node);
  }
  progress->set_elapsed_ms(static_cast<uint64_t>(base::MonotonicMillis() - change.started_ms));
}

// --- Its end.

void Controller::Finish(const Change& change, Progress* progress) {
  progress->set_elapsed_ms(static_cast<uint64_t>(base::MonotonicMillis() - change.started_ms));
  const ChangeRequest& request = change.request;
  const bool silent = progress->outcome() == Progress::INVALID && request.tentative;
  if (!silent) {
    Count(progress->outcome());
    // A file that did not change is looked at every few seconds; that is no event.
    if (progress->outcome() != Progress::UNCHANGED || request.source != "file") {
      Audit(change, *progress);
    }
    Notify(change, *progress);
    base::LogInfo("{} by {}: {}: {}", request.source, request.author,
                  Progress::Outcome_Name(progress->outcome()), progress->message());
  }
  if (const absl::Status status = store_.Prune(); !status.ok()) {
    base::LogError("old versions: {}", Text(status));
  }
}

void Controller::Count(Progress::Outcome outcome) {
  const std::lock_guard lock(mutex_);
  switch (outcome) {
    case Progress::DONE:
      ++counters_.done;
      return;
    case Progress::UNCHANGED:
      ++counters_.unchanged;
      return;
    case Progress::INVALID:
      ++counters_.invalid;
      return;
    case Progress::TIMED_OUT:
      ++counters_.timed_out;
      return;
    case Progress::REFUSED:
      ++counters_.refused;
      return;
    case Progress::DRY_RUN_OK:
      ++counters_.dry_runs;
      return;
    default:
      return;
  }
}

void Controller::Audit(const Change& change, const Progress& progress) {
  const ChangeRequest& request = change.request;
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(request.author);
  entry.set_role(request.role);
  entry.set_peer(request.peer);
  entry.set_root_before(change.before->info.version.root());
  entry.set_root_after(current()->info.version.root());
  entry.set_action(request.dry_run != v1::ApplyRequest::NONE ? "dry-run"
                   : request.source == "rollback"            ? "rollback"
                                                             : "apply");
  std::string preflight;
  if (progress.has_preflight()) {
    preflight = fmt::format("; preflight: {} of {} requests would change",
                            progress.preflight().figures().changed(),
                            progress.preflight().figures().requests());
  }
  entry.set_detail(fmt::format("{}: version {}: {}{}", Progress::Outcome_Name(progress.outcome()),
                               progress.version().revision(), progress.message(), preflight));
  if (const absl::Status status = store_.Audit(entry); !status.ok()) {
    base::LogError("{}", Text(status));
  }
}

void Controller::Notify(const Change& change, const Progress& progress) const {
  if (notifier_ == nullptr || change.request.dry_run != v1::ApplyRequest::NONE) return;
  if (change.rolling) return;  // It is not released yet; its waves are told of by who sends them.
  std::string action;
  switch (progress.outcome()) {
    case Progress::DONE:
    case Progress::TIMED_OUT:  // Released; some nodes are behind.
      action = "released";
      break;
    case Progress::REFUSED:
      action = "refused";
      break;
    case Progress::INVALID:
      action = "invalid";
      break;
    default:
      return;
  }
  std::string message = progress.message();
  for (const v1::Problem& problem : progress.problems()) {
    if (problem.severity() != v1::Problem::ERROR) continue;
    message += fmt::format("; the first is {}:{}:{}: {}", problem.file(), problem.line(),
                           problem.column(), problem.message());
    break;
  }
  notifier_->Publish({.kind = notify::EventKind::kVersion,
                      .action = std::move(action),
                      .version = progress.version(),
                      .node_id = "",
                      .author = change.request.author,
                      .message = std::move(message)});
}

// --- Questions.

v1::ValidateResponse Controller::Validate(const v1::Document& document) const {
  const build::BuildResult built = build::BuildSnapshot(document, build_options_);
  v1::ValidateResponse response;
  for (const v1::Problem& problem : built.problems) *response.add_problems() = problem;
  response.set_tests_run(static_cast<uint32_t>(built.tests_run));
  response.set_root(built.root);
  return response;
}

absl::StatusOr<v1::DiffResponse> Controller::Diff(const v1::DiffRequest& request) const {
  v1::DiffResponse response;
  const auto now = current();
  publish::SharedResources from = now->resources, to = now->resources;
  const auto load = [this](uint64_t revision) -> absl::StatusOr<publish::SharedResources> {
    ASSIGN_OR_RETURN(auto resources, store_.Resources(revision));
    return std::make_shared<const snapshot::Resources>(std::move(resources));
  };
  if (request.document().files_size() > 0) {
    build::BuildResult built = build::BuildSnapshot(request.document(), build_options_);
    for (const v1::Problem& problem : built.problems) *response.add_problems() = problem;
    if (!built.ok()) return response;
    to = std::make_shared<const snapshot::Resources>(std::move(built.resources));
    response.set_against_revision(now->info.version.revision());
  } else {
    ASSIGN_OR_RETURN(from, load(request.from_revision()));
    if (request.to_revision() != 0) {
      ASSIGN_OR_RETURN(to, load(request.to_revision()));
    }
    response.set_against_revision(request.from_revision());
  }
  for (const v1::ResourceChange& change : build::DiffResources(*from, *to)) {
    *response.add_changes() = change;
  }
  return response;
}

v1::FleetStatus Controller::Status(const std::string& node_id) const {
  v1::FleetStatus nodes = hub_.Status(node_id);
  const auto roots = hub_.RejectedRoots();
  for (v1::NodeStatus& node : *nodes.mutable_nodes()) {
    const auto root = roots.find(node.node_id());
    if (root == roots.end()) continue;
    std::vector<v1::ResourceError> errors(node.errors().begin(), node.errors().end());
    places_.Attach(root->second, &errors);
    node.clear_errors();
    for (v1::ResourceError& error : errors) *node.add_errors() = std::move(error);
  }
  v1::FleetStatus status = Summary();
  status.mutable_nodes()->Swap(nodes.mutable_nodes());
  return status;
}

v1::FleetStatus Controller::Summary() const {
  v1::FleetStatus status;
  const std::lock_guard lock(mutex_);
  const store::StoredVersion& info = current_->info;
  if (info.version.revision() != 0) *status.mutable_version() = info.version;
  status.set_released_unix_ms(static_cast<uint64_t>(info.created_unix_ms));
  status.set_author(info.author);
  status.set_message(info.message);
  *status.mutable_source() = source_status_;
  const v1::Rollout rollout = runner_.view();
  if (rollout.version().revision() <= info.version.revision()) return status;
  *status.mutable_rollout() = rollout;
  // What the file says was released, and is not what runs.
  if (status.source().ok() && rollout.author() == kFileAuthor &&
      !rollout::IsActive(rollout.state())) {
    status.mutable_source()->set_ok(false);
    v1::Problem& problem = *status.mutable_source()->add_problems();
    problem.set_file(status.source().path());
    problem.set_message(fmt::format("version {} was taken back: {}", rollout.version().revision(),
                                    rollout.reason()));
  }
  return status;
}

std::shared_ptr<const CurrentVersion> Controller::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

ApplyCounters Controller::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Controller::SetSourceStatus(v1::SourceStatus status) {
  {
    const std::lock_guard lock(mutex_);
    counters_.source_errors += !status.ok();
    source_status_ = std::move(status);
  }
  hub_.NoteChange();
}

}  // namespace sluice::apply
