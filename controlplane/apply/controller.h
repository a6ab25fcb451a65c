// Turns documents into released versions: read, validate, build, guard, store, roll out, publish.
//
// Thread-safe. Changes are made one at a time; further ones wait for their turn, at most kWaitingMax of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "controlplane/build/snapshot_builder.h"
#include "controlplane/publish/hub.h"
#include "controlplane/store/version_store.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::apply {

struct ChangeRequest {
  std::string author, peer, message;
  std::string source;       // file, api, rollback
  uint64_t if_version = 0;  // 0: whatever is current.
  bool wait = false;
  bool partial = false;
  bool allow_shrink = false;
  v1::ApplyRequest::DryRun dry_run = v1::ApplyRequest::NONE;
  std::chrono::milliseconds timeout{60'000};
};

struct ApplyCounters {
  uint64_t done = 0, unchanged = 0, invalid = 0, refused = 0, timed_out = 0;
};

class Controller {
 public:
  static constexpr int kWaitingMax = 64;

  // Both must outlive it.
  Controller(store::VersionStore& store, publish::Hub& hub);

  // Publishes what was current when the controller ended last.
  absl::Status Start();

  // Called with every step a caller may want to see; the last call has the outcome. False from it: the
  // caller has gone, the change goes on.
  using OnProgress = std::function<bool(const v1::ApplyProgress& progress)>;
  void Apply(const v1::Document& document, const ChangeRequest& request, const OnProgress& on_progress);
  // `revision` 0: the current one's predecessor.
  void Rollback(uint64_t revision, const ChangeRequest& request, const OnProgress& on_progress);

  v1::ValidateResponse Validate(const v1::Document& document) const;
  absl::StatusOr<v1::DiffResponse> Diff(const v1::DiffRequest& request) const;
  v1::FleetStatus Status(const std::string& node_id) const;
  ApplyCounters counters() const;

  // What the watcher found; shown in Status.
  void SetSourceStatus(const v1::SourceStatus& status);
  v1::SourceStatus source_status() const;

 private:
  struct Change;

  bool Enter(const OnProgress& on_progress, v1::ApplyProgress* progress);
  bool Guard(const Change& change, v1::ApplyProgress* progress) const;
  void RollOut(Change& change, const OnProgress& on_progress, v1::ApplyProgress* progress);
  void DryRunOnNodes(Change& change, const OnProgress& on_progress, v1::ApplyProgress* progress);
  void AwaitEffective(Change& change, const OnProgress& on_progress, v1::ApplyProgress* progress);
  void Finish(const Change& change, v1::ApplyProgress* progress, const OnProgress& on_progress);
  void FillNodes(const Change& change, const publish::Hub::RolloutView& view,
                 v1::ApplyProgress* progress) const;
  void Audit(const ChangeRequest& request, const std::string& action, const std::string& detail);

  store::VersionStore& store_;
  publish::Hub& hub_;
  std::mutex turn_;  // Held by the change that is being made.
  std::atomic<int> waiting_{0};

  mutable std::mutex mutex_;  // Guards what follows.
  ApplyCounters counters_;
  v1::SourceStatus source_status_;
  store::StoredVersion current_;
};

}  // namespace sluice::apply
