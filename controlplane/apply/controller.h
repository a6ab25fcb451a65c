// Turns documents into released versions: read, validate, build, guard, store, roll out, publish.
//
// Thread-safe. Changes are made one at a time, in the order they came; further ones wait for their
// turn, at most kWaitingMax of them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "controlplane/apply/change_queue.h"
#include "controlplane/apply/rollout_runner.h"
#include "controlplane/apply/shrink_guard.h"
#include "controlplane/apply/source_places.h"
#include "controlplane/build/snapshot_builder.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/publish/hub.h"
#include "controlplane/store/version_store.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::apply {

// The author of what a watched file brings.
inline constexpr std::string_view kFileAuthor = "file";

struct ChangeRequest {
  std::string author, peer, message;
  std::string role;         // Of the author; empty: a watched file, or nobody asked.
  std::string source;       // file, api, rollback
  uint64_t if_version = 0;  // 0: whatever is current.
  bool wait = false;
  bool partial = false;
  bool allow_shrink = false;
  bool tentative = false;  // A document with errors leaves no trace: it may be half-written.
  bool force = false;      // Also content that was taken back.
  v1::StrategyChoice strategy;
  v1::ApplyRequest::DryRun dry_run = v1::ApplyRequest::NONE;
  // For `wait`; 0: kWaitDefault, or as long as a rollout in waves takes.
  std::chrono::milliseconds timeout{0};
};

// Who acts on a rollout: as in ChangeRequest.
struct Actor {
  std::string author, role, peer;
};

struct ApplyCounters {
  uint64_t done = 0, unchanged = 0, invalid = 0, refused = 0, timed_out = 0, dry_runs = 0;
  uint64_t source_errors = 0;
};

// What runs: never changes once made.
struct CurrentVersion {
  store::StoredVersion info;  // Revision 0: none yet.
  publish::SharedResources resources = std::make_shared<const snapshot::Resources>();
  SnapshotSize size;
};

class Controller {
 public:
  static constexpr int kWaitingMax = 64;
  // How often a caller who waits hears of the nodes.
  static constexpr std::chrono::milliseconds kProgressPace{100};
  static constexpr std::chrono::milliseconds kWaitDefault{60'000};

  // All must outlive it. `notifier` may be null.
  Controller(store::VersionStore& store, publish::Hub& hub,
             const notify::Notifier* notifier = nullptr);

  // Publishes what was current when the controller ended last; a rollout in waves goes on.
  absl::Status Start();
  // Decides nothing any more.
  void Stop() { runner_.Stop(); }

  // Called with every step a caller may want to see; the last call has the outcome. False from it:
  // the caller has gone, the change goes on.
  using OnProgress = std::function<bool(const v1::ApplyProgress& progress)>;
  void Apply(const v1::Document& document, const ChangeRequest& request,
             const OnProgress& on_progress);
  // `revision` 0: the current one while a rollout is under way, else its predecessor.
  void Rollback(uint64_t revision, const ChangeRequest& request, const OnProgress& on_progress);

  // The newest, or that of one version; kNotFound. Without the nodes' baselines.
  absl::StatusOr<v1::Rollout> GetRollout(uint64_t revision) const;
  absl::StatusOr<v1::Rollout> ActOnRollout(v1::RolloutActionRequest request, const Actor& actor);
  uint64_t rollouts_taken_back() const { return runner_.taken_back_total(); }

  v1::ValidateResponse Validate(const v1::Document& document) const;
  absl::StatusOr<v1::DiffResponse> Diff(const v1::DiffRequest& request) const;
  // Errors of nodes have their place in the document.
  v1::FleetStatus Status(const std::string& node_id) const;
  v1::FleetStatus Summary() const;  // Without the nodes: it costs the same for any fleet.
  std::shared_ptr<const CurrentVersion> current() const;
  ApplyCounters counters() const;

  // What the watcher found; shown in Status.
  void SetSourceStatus(v1::SourceStatus status);

 private:
  struct Change;  // change.h

  bool Build(const v1::Document& document, Change& change, v1::ApplyProgress* progress);
  absl::Status LoadTarget(uint64_t revision, Change& change) const;
  absl::StatusOr<uint64_t> Predecessor() const;
  void Make(Change& change, const OnProgress& on_progress, v1::ApplyProgress* progress);
  bool Guard(Change& change, v1::ApplyProgress* progress);
  absl::Status StorePending(Change& change, int changes);
  void StartRollout(const Change& change, bool dry_run);
  publish::RolloutPhase AwaitPrepared(const Change& change, const OnProgress& on_progress,
                                      v1::ApplyProgress* progress);
  bool MakeCurrent(Change& change, v1::ApplyProgress* progress);
  // What stands against the request's or the document's preflight; preflight.cc.
  absl::Status ChoosePreflight(Change& change) const;
  // Of what is prepared. False: it goes no further, and has been discarded.
  bool Preflight(Change& change, const OnProgress& on_progress, v1::ApplyProgress* progress);
  std::string LookAhead(const Change& change, const std::vector<publish::NodeView>& nodes,
                        const OnProgress& on_progress, v1::ApplyProgress* progress);
  bool EndPreflight(const v1::RolloutActionRequest& request, v1::Rollout* rollout);
  void Refuse(const Change& change, const std::string& why, v1::ApplyProgress* progress);
  // The store did not keep that it is to run; kUnavailable: it does not know.
  void NotKept(const Change& change, const absl::Status& status, v1::ApplyProgress* progress);
  void DryRunOnNodes(Change& change, const OnProgress& on_progress, v1::ApplyProgress* progress);
  void AwaitEffective(const Change& change, const OnProgress& on_progress,
                      v1::ApplyProgress* progress);
  void Finish(const Change& change, v1::ApplyProgress* progress);

  // In waves.
  absl::Status ResumeRollout();
  absl::Status ChooseStrategy(Change& change) const;
  bool GuardAgainstBad(const Change& change, v1::ApplyProgress* progress) const;
  bool SameAsUnderWay(Change& change, v1::ApplyProgress* progress);
  bool BeginWaves(Change& change, v1::ApplyProgress* progress);
  void AwaitRollout(const Change& change, const OnProgress& on_progress,
                    v1::ApplyProgress* progress);
  void OnRolloutEnd(const v1::Rollout& rollout, publish::SharedResources resources);
  void NotifyRolloutEnd(const v1::Rollout& rollout, const std::string& message) const;
  void SetCurrent(store::StoredVersion info, publish::SharedResources resources);
  void FillNodes(const Change& change, v1::ApplyProgress* progress) const;
  void Count(v1::ApplyProgress::Outcome outcome);
  void Audit(const Change& change, const v1::ApplyProgress& progress);
  void Notify(const Change& change, const v1::ApplyProgress& progress) const;

  store::VersionStore& store_;
  publish::Hub& hub_;
  const notify::Notifier* const notifier_;
  const build::BuildOptions build_options_;
  ChangeQueue queue_{kWaitingMax};
  mutable SourcePlaces places_;

  mutable std::mutex mutex_;  // Guards what follows.
  ApplyCounters counters_;
  v1::SourceStatus source_status_;
  std::shared_ptr<const CurrentVersion> current_ = std::make_shared<const CurrentVersion>();
  // The version whose preflight runs, and who has ended it.
  std::optional<v1::Version> preflight_of_;
  std::string preflight_ended_by_;

  RolloutRunner runner_;  // Last: its thread uses the others.
};

}  // namespace sluice::apply
