#include "controlplane/apply/controller.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/build/diff.h"
#include "sluice/v1/route.pb.h"

namespace sluice::apply {

using Progress = v1::ApplyProgress;

struct Controller::Change {
  const ChangeRequest& request;
  snapshot::Resources resources;
  std::string root;
  build::SourceMap sources;
  std::string document;  // Serialised.
  snapshot::Resources before;
  store::StoredVersion current;  // Revision 0: none yet.
  v1::Version version;
  int64_t started_ms = base::MonotonicMillis();
};

namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

int CountKind(const snapshot::Resources& resources, v1::ResourceKind kind) {
  int count = 0;
  for (const auto& resource : resources) count += resource->kind() == kind;
  return count;
}

int CountRoutes(const snapshot::Resources& resources) {
  int count = 0;
  for (const auto& resource : resources) {
    if (resource->kind() != v1::RESOURCE_KIND_ROUTE_TABLE) continue;
    v1::RouteTable table;
    table.ParseFromString(resource->body());
    count += table.routes_size();
  }
  return count;
}

// What went missing, if it is so much that it looks like an accident.
std::string Shrinkage(const snapshot::Resources& before, const snapshot::Resources& after) {
  const int routes_before = CountRoutes(before), routes_after = CountRoutes(after);
  const int upstreams_before = CountKind(before, v1::RESOURCE_KIND_CLUSTER);
  const int upstreams_after = CountKind(after, v1::RESOURCE_KIND_CLUSTER);
  // Small documents change by halves every day.
  constexpr int kFewest = 8;
  if (routes_before >= kFewest && routes_after * 2 <= routes_before) {
    return fmt::format("{} of {} routes would go", routes_before - routes_after, routes_before);
  }
  if (upstreams_before >= kFewest && upstreams_after * 2 <= upstreams_before) {
    return fmt::format("{} of {} upstreams would go", upstreams_before - upstreams_after, upstreams_before);
  }
  if (routes_before > 0 && routes_after == 0) return "no route would be left";
  return "";
}

}  // namespace

Controller::Controller(store::VersionStore& store, publish::Hub& hub) : store_(store), hub_(hub) {}

absl::Status Controller::Start() {
  const auto current = store_.Current();
  if (absl::IsNotFound(current.status())) return absl::OkStatus();
  RETURN_IF_ERROR(current.status());
  ASSIGN_OR_RETURN(auto resources, store_.Resources(current->version.revision()));
  if (snapshot::RootOf(resources) != current->version.root()) {
    return absl::DataLossError(fmt::format("version {} in the store is damaged: its root does not fit",
                                           current->version.revision()));
  }
  hub_.SetReleased(current->version,
                   std::make_shared<const snapshot::Resources>(std::move(resources)));
  const std::lock_guard lock(mutex_);
  current_ = *current;
  base::LogInfo("version {} is current", current->version.revision());
  return absl::OkStatus();
}

// One at a time; the queue has an end.
bool Controller::Enter(const OnProgress& on_progress, Progress* progress) {
  if (waiting_.fetch_add(1) >= kWaitingMax) {
    waiting_.fetch_sub(1);
    progress->set_outcome(Progress::REFUSED);
    progress->set_message(fmt::format("{} changes are waiting already; try again later", kWaitingMax));
    on_progress(*progress);
    return false;
  }
  return true;
}

void Controller::Apply(const v1::Document& document, const ChangeRequest& request,
                       const OnProgress& on_progress) {
  Progress progress;
  if (!Enter(on_progress, &progress)) return;
  const std::lock_guard turn(turn_);
  waiting_.fetch_sub(1);

  Change change{.request = request};
  build::BuildResult built = build::BuildSnapshot(document);
  for (const v1::Problem& problem : built.problems) *progress.add_problems() = problem;
  if (!built.ok()) {
    progress.set_outcome(Progress::INVALID);
    progress.set_message("the document has errors; nothing changed");
    Finish(change, &progress, on_progress);
    return;
  }
  change.resources = std::move(built.resources);
  change.root = built.root;
  change.sources = std::move(built.sources);
  v1::Document stored = document;
  stored.clear_referenced();  // Keys are kept in the resources, not twice.
  change.document = stored.SerializeAsString();
  RollOut(change, on_progress, &progress);
  Finish(change, &progress, on_progress);
}

void Controller::Rollback(uint64_t revision, const ChangeRequest& request,
                          const OnProgress& on_progress) {
  Progress progress;
  if (!Enter(on_progress, &progress)) return;
  const std::lock_guard turn(turn_);
  waiting_.fetch_sub(1);

  Change change{.request = request};
  absl::Status status;
  if (revision == 0) {
    const auto versions = store_.List(store::VersionStore::kVersionsKept);
    if (versions.ok()) {
      for (const store::StoredVersion& version : *versions) {
        if (version.state == store::VersionState::kSuperseded) {
          revision = version.version.revision();
          break;
        }
      }
    }
    if (revision == 0) status = absl::NotFoundError("there is no earlier version to go back to");
  }
  if (status.ok()) {
    const auto target = store_.Get(revision);
    const auto resources = store_.Resources(revision);
    const auto document = store_.Document(revision);
    status = target.status();
    status.Update(resources.status());
    status.Update(document.status());
    if (status.ok()) {
      change.resources = *resources;
      change.root = target->version.root();
      change.document = *document;
    }
  }
  if (!status.ok()) {
    progress.set_outcome(Progress::REFUSED);
    progress.set_message(Text(status));
    Finish(change, &progress, on_progress);
    return;
  }
  RollOut(change, on_progress, &progress);
  Finish(change, &progress, on_progress);
}

bool Controller::Guard(const Change& change, Progress* progress) const {
  const ChangeRequest& request = change.request;
  const uint64_t revision = change.current.version.revision();
  if (request.if_version != 0 && request.if_version != revision) {
    progress->set_outcome(Progress::REFUSED);
    progress->set_message(fmt::format("version {} is current, not {}: somebody was faster; look at "
                                      "`sluicectl diff` and apply again",
                                      revision, request.if_version));
    return false;
  }
  if (revision != 0 && change.root == change.current.version.root()) {
    *progress->mutable_version() = change.current.version;
    progress->set_outcome(Progress::UNCHANGED);
    progress->set_message(fmt::format("version {} already runs", revision));
    return false;
  }
  const std::string shrinkage = Shrinkage(change.before, change.resources);
  if (!request.allow_shrink && !shrinkage.empty() && request.source != "rollback") {
    progress->set_outcome(Progress::REFUSED);
    progress->set_message(
        fmt::format("{}; if that is meant, apply with --allow-shrink", shrinkage));
    return false;
  }
  return true;
}

void Controller::RollOut(Change& change, const OnProgress& on_progress, Progress* progress) {
  {
    const std::lock_guard lock(mutex_);
    change.current = current_;
  }
  if (change.current.version.revision() != 0) {
    auto before = store_.Resources(change.current.version.revision());
    if (before.ok()) change.before = *std::move(before);
  }
  const auto changes = build::DiffResources(change.before, change.resources);
  for (const v1::ResourceChange& one : changes) *progress->add_changes() = one;
  if (!Guard(change, progress)) return;
  if (change.request.dry_run == v1::ApplyRequest::SERVER) {
    progress->set_outcome(Progress::DRY_RUN_OK);
    progress->set_message(fmt::format("valid; {} resources would change", changes.size()));
    return;
  }
  if (change.request.dry_run == v1::ApplyRequest::NODES) {
    DryRunOnNodes(change, on_progress, progress);
    return;
  }

  store::StoredVersion version;
  version.version.set_root(change.root);
  version.created_unix_ms = base::UnixMillis();
  version.author = change.request.author;
  version.message = change.request.message;
  version.source = change.request.source;
  version.changes = static_cast<int64_t>(changes.size());
  if (const absl::Status status = store_.Add(&version, change.resources, change.document); !status.ok()) {
    progress->set_outcome(Progress::REFUSED);
    progress->set_message(Text(status));
    return;
  }
  // Whatever happens now, the version is on disk.
  change.version = version.version;
  *progress->mutable_version() = version.version;
  hub_.StartRollout({.version = version.version,
                     .resources = std::make_shared<const snapshot::Resources>(change.resources),
                     .partial = change.request.partial,
                     .dry_run = false});
  uint64_t seen = 0;
  publish::Hub::RolloutView view;
  for (;;) {
    seen = hub_.Wait(seen, std::chrono::milliseconds(200));
    view = hub_.ViewRollout();
    if (view.phase != publish::RolloutPhase::kPreparing) break;
    if (!change.request.wait) continue;
    FillNodes(change, view, progress);
    on_progress(*progress);
  }
  FillNodes(change, view, progress);
  if (view.phase == publish::RolloutPhase::kRefused) {
    if (const absl::Status status = store_.SetState(version.version.revision(), store::VersionState::kRefused);
        !status.ok()) {
      base::LogError("{}", Text(status));
    }
    progress->set_outcome(Progress::REFUSED);
    progress->set_message("a node refused the version; every node keeps the one before");
    return;
  }
  if (const absl::Status status = store_.SetState(version.version.revision(), store::VersionState::kCurrent);
      !status.ok()) {
    // The nodes have it; the store will say otherwise after a restart, and then offer the older one.
    base::LogError("version {} is served but could not be marked current: {}", version.version.revision(), Text(status));
    progress->set_outcome(Progress::REFUSED);
    progress->set_message(Text(status));
    return;
  }
  version.state = store::VersionState::kCurrent;
  {
    const std::lock_guard lock(mutex_);
    current_ = version;
  }
  progress->set_outcome(Progress::DONE);
  progress->set_message(fmt::format("version {} is released", version.version.revision()));
  if (change.request.wait) AwaitEffective(change, on_progress, progress);
}

void Controller::DryRunOnNodes(Change& change, const OnProgress& on_progress, Progress* progress) {
  change.version.set_epoch(store_.epoch());
  change.version.set_revision(change.current.version.revision() + 1);
  change.version.set_root(change.root);
  hub_.StartRollout({.version = change.version,
                     .resources = std::make_shared<const snapshot::Resources>(change.resources),
                     .partial = false,
                     .dry_run = true});
  uint64_t seen = 0;
  publish::Hub::RolloutView view;
  do {
    seen = hub_.Wait(seen, std::chrono::milliseconds(200));
    view = hub_.ViewRollout();
    progress->set_outcome(Progress::RUNNING);
    FillNodes(change, view, progress);
    on_progress(*progress);
  } while (view.phase == publish::RolloutPhase::kPreparing);
  const bool prepared = view.phase == publish::RolloutPhase::kPrepared;
  progress->set_outcome(prepared ? Progress::DRY_RUN_OK : Progress::REFUSED);
  progress->set_message(prepared ? "every node that answered could prepare it; nothing changed"
                                 : "a node would refuse it; nothing changed");
}

void Controller::AwaitEffective(Change& change, const OnProgress& on_progress, Progress* progress) {
  const int64_t deadline = change.started_ms + change.request.timeout.count();
  uint64_t seen = 0;
  for (;;) {
    const publish::Hub::RolloutView view = hub_.ViewRollout();
    FillNodes(change, view, progress);
    const int64_t left = deadline - base::MonotonicMillis();
    if (view.settled || left <= 0) break;
    progress->set_outcome(Progress::RUNNING);
    on_progress(*progress);
    seen = hub_.Wait(seen, std::chrono::milliseconds(std::min<int64_t>(left, 200)));
  }
  int effective = 0;
  for (const v1::NodeProgress& node : progress->nodes()) {
    effective += node.stage() == v1::NodeProgress::EFFECTIVE;
  }
  const bool all = effective == progress->nodes_size();
  progress->set_outcome(all ? Progress::DONE : Progress::TIMED_OUT);
  progress->set_message(fmt::format("version {} is effective on {} of {} nodes",
                                    change.version.revision(), effective, progress->nodes_size()));
}

void Controller::FillNodes(const Change& change, const publish::Hub::RolloutView& view,
                           Progress* progress) const {
  progress->clear_nodes();
  for (v1::NodeProgress node : view.nodes) {
    std::vector<v1::ResourceError> errors(node.errors().begin(), node.errors().end());
    build::AttachSources(change.sources, &errors);
    node.clear_errors();
    for (v1::ResourceError& error : errors) *node.add_errors() = std::move(error);
    *progress->add_nodes() = std::move(node);
  }
  progress->set_elapsed_ms(static_cast<uint64_t>(base::MonotonicMillis() - change.started_ms));
}

void Controller::Finish(const Change& change, Progress* progress, const OnProgress& on_progress) {
  progress->set_elapsed_ms(static_cast<uint64_t>(base::MonotonicMillis() - change.started_ms));
  {
    const std::lock_guard lock(mutex_);
    switch (progress->outcome()) {
      case Progress::DONE:
        ++counters_.done;
        break;
      case Progress::UNCHANGED:
        ++counters_.unchanged;
        break;
      case Progress::INVALID:
        ++counters_.invalid;
        break;
      case Progress::TIMED_OUT:
        ++counters_.timed_out;
        break;
      case Progress::REFUSED:
        ++counters_.refused;
        break;
      default:
        break;
    }
  }
  // A file that did not change is looked at every few seconds; that is no event.
  if (progress->outcome() != Progress::UNCHANGED || change.request.source != "file") {
    Audit(change.request,
          change.request.dry_run != v1::ApplyRequest::NONE ? "dry-run"
          : change.request.source == "rollback"            ? "rollback"
                                                           : "apply",
          fmt::format("{}: version {}: {}", Progress::Outcome_Name(progress->outcome()),
                      progress->version().revision(), progress->message()));
  }
  base::LogInfo("{} by {}: {}: {}", change.request.source, change.request.author,
                Progress::Outcome_Name(progress->outcome()), progress->message());
  on_progress(*progress);
}

void Controller::Audit(const ChangeRequest& request, const std::string& action,
                       const std::string& detail) {
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(request.author);
  entry.set_peer(request.peer);
  entry.set_action(action);
  entry.set_detail(detail);
  if (const absl::Status status = store_.Audit(entry); !status.ok()) base::LogError("{}", Text(status));
}

v1::ValidateResponse Controller::Validate(const v1::Document& document) const {
  const build::BuildResult built = build::BuildSnapshot(document);
  v1::ValidateResponse response;
  for (const v1::Problem& problem : built.problems) *response.add_problems() = problem;
  response.set_tests_run(static_cast<uint32_t>(built.tests_run));
  response.set_root(built.root);
  return response;
}

absl::StatusOr<v1::DiffResponse> Controller::Diff(const v1::DiffRequest& request) const {
  v1::DiffResponse response;
  uint64_t current = 0;
  {
    const std::lock_guard lock(mutex_);
    current = current_.version.revision();
  }
  snapshot::Resources from, to;
  if (request.document().files_size() > 0) {
    build::BuildResult built = build::BuildSnapshot(request.document());
    for (const v1::Problem& problem : built.problems) *response.add_problems() = problem;
    if (!built.ok()) return response;
    to = std::move(built.resources);
    response.set_against_revision(current);
    if (current != 0) {
      ASSIGN_OR_RETURN(from, store_.Resources(current));
    }
  } else {
    RETURN_IF_ERROR(store_.Get(request.from_revision()).status());
    ASSIGN_OR_RETURN(from, store_.Resources(request.from_revision()));
    const uint64_t to_revision = request.to_revision() != 0 ? request.to_revision() : current;
    RETURN_IF_ERROR(store_.Get(to_revision).status());
    ASSIGN_OR_RETURN(to, store_.Resources(to_revision));
    response.set_against_revision(request.from_revision());
  }
  for (const v1::ResourceChange& change : build::DiffResources(from, to)) {
    *response.add_changes() = change;
  }
  return response;
}

v1::FleetStatus Controller::Status(const std::string& node_id) const {
  v1::FleetStatus status = hub_.Status(node_id);
  const std::lock_guard lock(mutex_);
  if (current_.version.revision() != 0) *status.mutable_version() = current_.version;
  status.set_released_unix_ms(static_cast<uint64_t>(current_.created_unix_ms));
  status.set_author(current_.author);
  status.set_message(current_.message);
  *status.mutable_source() = source_status_;
  return status;
}

ApplyCounters Controller::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Controller::SetSourceStatus(const v1::SourceStatus& status) {
  const std::lock_guard lock(mutex_);
  source_status_ = status;
}

v1::SourceStatus Controller::source_status() const {
  const std::lock_guard lock(mutex_);
  return source_status_;
}

}  // namespace sluice::apply
