// One version on its way to the nodes that were connected when it began: who has got how far, and
// what follows from it.
//
// Decisions only, by the time it is given: no wire, no clock, no lock. The fleet sends.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "controlplane/publish/delta_cache.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::publish {

enum class RolloutPhase : uint8_t {
  kNone,
  kPreparing,
  kPrepared,   // Everybody who is waited for has prepared. Release or Abandon comes next.
  kReleased,   // Commits are out; some nodes may not be effective yet.
  kRefused,    // Nothing changed.
  kRehearsed,  // A dry run: whoever answered could.
};

struct RolloutRequest {
  v1::Version version;
  SharedResources resources;
  bool partial = false;  // Go on with those that prepared though others refused.
  bool dry_run = false;
  bool keep = false;  // A dry run that stays prepared until Abandon.
};

class Rollout {
 public:
  // Once a node has refused, the others are given this long: their refusals, too, are worth
  // knowing, but nobody waits for the silent.
  static constexpr int64_t kGraceAfterRefusalMs = 1000;

  using Stage = v1::NodeProgress::Stage;
  struct Participant {
    Stage stage = v1::NodeProgress::WAITING;
    std::vector<v1::ResourceError> errors;
  };

  Rollout() = default;  // None.
  Rollout(RolloutRequest request, int64_t deadline_ms)
      : request_(std::move(request)), phase_(RolloutPhase::kPreparing), deadline_ms_(deadline_ms) {}

  const RolloutRequest& request() const { return request_; }
  const std::string& root() const { return request_.version.root(); }
  RolloutPhase phase() const { return phase_; }
  // Nodes that take part must not be sent anything else.
  bool active() const {
    return phase_ == RolloutPhase::kPreparing || phase_ == RolloutPhase::kPrepared;
  }

  void Join(const std::string& node_id, Stage stage);
  // It takes no part any more.
  void Leave(const std::string& node_id);
  // Of a node that takes part and has not been refused or done; others are ignored.
  void Advance(const std::string& node_id, Stage stage);
  void Reject(const std::string& node_id, const std::vector<v1::ResourceError>& errors,
              int64_t now_ms);
  bool IsWaiting(const std::string& node_id) const;
  bool Has(const std::string& node_id) const { return participants_.contains(node_id); }
  const std::map<std::string, Participant>& participants() const { return participants_; }

  // Ends the preparing when nobody is waited for any more, or time is up. True if it ended now.
  bool Judge(int64_t now_ms);
  void MarkReleased() { phase_ = RolloutPhase::kReleased; }
  void MarkRefused() { phase_ = RolloutPhase::kRefused; }

  // No participant is still on its way.
  bool settled() const;
  std::vector<v1::NodeProgress> Progress() const;

 private:
  void SetStage(Participant& participant, Stage stage);
  int CountOf(Stage stage) const { return counts_[static_cast<size_t>(stage)]; }

  RolloutRequest request_;
  RolloutPhase phase_ = RolloutPhase::kNone;
  int64_t deadline_ms_ = 0;
  std::map<std::string, Participant> participants_;
  // Participants by stage: asked with every word of a node.
  std::array<int, v1::NodeProgress::Stage_ARRAYSIZE> counts_{};
};

}  // namespace sluice::publish
