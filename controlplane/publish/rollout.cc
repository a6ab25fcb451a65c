#include "controlplane/publish/rollout.h"

#include <algorithm>

namespace sluice::publish {

using Progress = v1::NodeProgress;

void Rollout::SetStage(Participant& participant, Stage stage) {
  --counts_[static_cast<size_t>(participant.stage)];
  participant.stage = stage;
  ++counts_[static_cast<size_t>(stage)];
}

void Rollout::Join(const std::string& node_id, Stage stage) {
  const auto [participant, added] = participants_.try_emplace(node_id);
  if (added) ++counts_[static_cast<size_t>(participant->second.stage)];
  SetStage(participant->second, stage);
}

void Rollout::Leave(const std::string& node_id) {
  const auto found = participants_.find(node_id);
  if (found == participants_.end()) return;
  --counts_[static_cast<size_t>(found->second.stage)];
  participants_.erase(found);
}

void Rollout::Advance(const std::string& node_id, Stage stage) {
  const auto found = participants_.find(node_id);
  if (found == participants_.end()) return;
  const Stage now = found->second.stage;
  if (now == Progress::EFFECTIVE || now == Progress::REJECTED) return;
  SetStage(found->second, stage);
}

void Rollout::Reject(const std::string& node_id, const std::vector<v1::ResourceError>& errors,
                     int64_t now_ms) {
  const auto found = participants_.find(node_id);
  if (found == participants_.end()) return;
  SetStage(found->second, Progress::REJECTED);
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
  if (CountOf(Progress::WAITING) + CountOf(Progress::OFFERED) > 0) {
    if (now_ms < deadline_ms_) return false;
    for (auto& [id, participant] : participants_) {
      const bool on_its_way =
          participant.stage == Progress::WAITING || participant.stage == Progress::OFFERED;
      if (on_its_way) SetStage(participant, Progress::LAGGING);
    }
  }
  const int rejected = CountOf(Progress::REJECTED), prepared = CountOf(Progress::PREPARED);
  const bool refused = rejected > 0 && (!request_.partial || request_.dry_run || prepared == 0);
  const bool over = request_.dry_run && !request_.keep;
  phase_ = refused ? RolloutPhase::kRefused
           : over  ? RolloutPhase::kRehearsed
                   : RolloutPhase::kPrepared;
  return true;
}

bool Rollout::settled() const {
  if (active()) return false;
  if (phase_ != RolloutPhase::kReleased) return true;
  const int done =
      CountOf(Progress::EFFECTIVE) + CountOf(Progress::REJECTED) + CountOf(Progress::LAGGING);
  return static_cast<size_t>(done) == participants_.size();
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
