// Follows an apply or a rollback to its end: progress of every node while it runs, then one line
// that says what is now true.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/problem_text.h"
#include "tools/sluicectl/session.h"

namespace sluice::sluicectl {

class ReleaseView {
 public:
  struct Options {
    bool wait = false;
    v1::ApplyRequest::DryRun dry_run = v1::ApplyRequest::NONE;
    const v1::Document* document = nullptr;  // What was sent, to show the lines at fault.
  };
  // `session` and the document must outlive this object.
  ReleaseView(const Session& session, Options options);

  void OnProgress(const v1::ApplyProgress& progress);
  void OnTick();
  // `status` is how the stream ended.
  ExitCode Finish(const absl::Status& status);

 private:
  struct Seen {
    v1::NodeProgress::Stage stage = v1::NodeProgress::WAITING;
    int64_t at_ms = 0;  // When the stage was first seen.
  };

  bool live() const;
  bool show_source() const;
  void Remember(const v1::ApplyProgress& progress);
  void PrintStages(const v1::ApplyProgress& progress);
  Text Block() const;
  ExitCode Conclude() const;
  ExitCode Done() const;
  ExitCode DryRunOk() const;
  ExitCode Invalid() const;
  ExitCode Refused() const;
  ExitCode TimedOut() const;
  ExitCode TakenBack() const;
  ExitCode Paused() const;
  bool PrintRollout(const v1::ApplyProgress& progress);
  void PrintPreflight() const;
  void PrintProblems() const;
  Text RejectionText() const;

  const Session& session_;
  const Options options_;
  const SourceLines lines_;
  LiveBlock block_;
  const int64_t started_ms_;
  bool any_ = false;  // A message has come.
  v1::ApplyProgress last_;
  std::map<std::string, Seen> seen_;
  std::string rollout_told_;
  bool preflight_told_ = false;
};

// Makes the call and shows it.
ExitCode FollowApply(ControllerClient& client, const v1::ApplyRequest& request, Session& session);
ExitCode FollowRollback(ControllerClient& client, const v1::RollbackRequest& request,
                        Session& session);

}  // namespace sluice::sluicectl
