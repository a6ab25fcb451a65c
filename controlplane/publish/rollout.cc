#include "controlplane/publish/rollout.h"

#include <algorithm>

namespace sluice::publish {

using Progress = v1::NodeProgress;

void Rollout::Advance(const std::string& node_id, Stage stage) {
  const auto found = participants_.find(node_id);
  if (found == participants_.end()) return;
  Stage& now = found->second.stage;
  if (now == Progress::EFFECTIVE || now == Progress::REJECTED) return;
  now = stage;
}

void Rollout::Reject(const std::string& node_id, const std::vector<v1::ResourceError>& errors,
                     int64_t now_ms) {
  const auto found = participants_.find(node_id);
  if (found == participants_.end()) return;
  found->second.stage = Progress::REJECTED;
  found->second.errors = errors;
  // A dry run wants everybody's answer.
  if (phase_ == RolloutPhase::kPreparing && !request_.partial && !request_.dry_run) {
    deadline_ms_ = std::min(deadline_ms_, now_ms + kGraceAfterRefusalMs);
  }
}

bool Rollout::IsWaiting(const std::string& node_id) const {
  const auto found = participants_.find(node_id);
  return found != participants_.end() && found->second.stage == Progress::WAITING;
}

bool Rollout::Judge(int64_t now_ms) {
  if (phase_ != RolloutPhase::kPreparing) return false;
  int awaited = 0, rejected = 0, prepared = 0;
  for (auto& [id, participant] : participants_) {
    const bool on_its_way =
        participant.stage == Progress::WAITING || participant.stage == Progress::OFFERED;
    if (on_its_way && now_ms >= deadline_ms_) participant.stage = Progress::LAGGING;
    awaited += on_its_way && now_ms < deadline_ms_;
    rejected += participant.stage == Progress::REJECTED;
    prepared += participant.stage == Progress::PREPARED;
  }
  if (awaited > 0) return false;
  const bool refused = rejected > 0 && (!request_.partial || request_.dry_run || prepared == 0);
  phase_ = refused            ? RolloutPhase::kRefused
           : request_.dry_run ? RolloutPhase::kRehearsed
                              : RolloutPhase::kPrepared;
  return true;
}

bool Rollout::settled() const {
  if (active()) return false;
  if (phase_ != RolloutPhase::kReleased) return true;
  return std::all_of(participants_.begin(), participants_.end(), [](const auto& entry) {
    const Stage stage = entry.second.stage;
    return stage == Progress::EFFECTIVE || stage == Progress::REJECTED ||
           stage == Progress::LAGGING;
  });
}

std::vector<v1::NodeProgress> Rollout::Progress() const {
  std::vector<v1::NodeProgress> list;
  for (const auto& [id, participant] : participants_) {
    v1::NodeProgress& progress = list.emplace_back();
    progress.set_node_id(id);
    progress.set_stage(participant.stage);
    for (const v1::ResourceError& error : participant.errors) *progress.add_errors() = error;
  }
  return list;
}

}  // namespace sluice::publish
