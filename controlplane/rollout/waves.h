// The decisions of one rollout: when a wave is through, when the next goes out, when all is taken
// back.
//
// Nodes of a wave are waited for until they are effective; then they bake and are judged with every
// report until the bake is over and enough was served. Rules for nodes that do not behave:
// - who comes after the rollout began has its place in the last wave, or, if that is out, gets the
//   version when the rollout is complete;
// - who is not connected when its wave begins, drains, or is removed is left behind: nobody waits
//   for it, and it gets the version when it is back;
// - who is cordoned has no place in a wave; who is cordoned before it has the version is left
// behind
//   likewise, who has it already is judged like the others and keeps it, even if it is taken back;
// - who is connected and not effective in time, or refuses the version, fails the wave;
// - who falls silent for as long as a wave may take to be effective is left behind too, but when
//   those are more than a tenth of the nodes with the version, that fails the wave: a lost canary
//   is a bad sign, one lost node of fifty is not;
// - nodes that the version changes nothing of come with the last wave and are judged like the
// others,
//   but what they serve does not count as enough;
// - when nobody is left that has the version, the rollout pauses: nothing says that it is good.
//
// Time and figures come in, decisions go out: no wire, no clock, no lock. Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "controlplane/publish/node_view.h"
#include "controlplane/rollout/gates.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::rollout {

struct Now {
  int64_t ms = 0;  // Monotonic: what spans are measured by.
  int64_t unix_ms = 0;
};

bool IsActive(v1::Rollout::State state);

class Waves {
 public:
  // Nodes without the version have so long to tell how they fare before the others are judged
  // without them. What fails everywhere at once is not the version's.
  static constexpr int64_t kControlAwaitedMs = 10'000;

  enum class Order {
    kNone,
    kWiden,     // Release the version to the nodes of reach().
    kComplete,  // It is the fleet's version.
    kTakeBack,  // Everybody goes back to the stable version.
  };
  struct Decision {
    Order order = Order::kNone;
    bool changed = false;  // The record is to be stored, before the order is carried out.
  };

  // A new one: `record` has versions, strategy and author. Its first wave is out once the caller
  // has released reach().
  Waves(v1::Rollout record, const std::vector<publish::NodeView>& nodes, Now now);
  // One that an earlier life of the controller had begun. Waits and bakes begin anew.
  Waves(v1::Rollout stored, Now now);

  const v1::Rollout& record() const { return record_; }
  bool active() const { return IsActive(record_.state()); }

  // Nodes of the waves that are out.
  std::vector<std::string> reach() const;

  // To be called with every report, or a few times a second.
  Decision Look(const std::vector<publish::NodeView>& nodes, Now now);

  // What operators ask for. Not OK: it makes no sense now, with the reason.
  absl::Status Pause(const std::string& reason);
  absl::Status Resume(Now now);
  // Does not wait for the rest of the bake and its gates.
  absl::Status Promote(const std::vector<publish::NodeView>& nodes, Now now, Decision* decision);
  // By an operator, or because a newer change takes its place. Everybody is to go back.
  void End(v1::Rollout::State state, const std::string& reason, Now now);

 private:
  using Views = std::unordered_map<std::string, const publish::NodeView*>;

  v1::RolloutWave& wave() { return *record_.mutable_waves(static_cast<int>(record_.wave())); }
  bool is_last() const { return static_cast<int>(record_.wave()) + 1 == record_.waves_size(); }
  std::vector<v1::NodeBaseline*> Changed();
  void BeginWave(const std::vector<publish::NodeView>& nodes, Now now);
  void BeginBake(Now now);
  bool AwaitEffective(const Views& views, Now now, Decision* decision);
  bool NoticeLosses(const Views& views, Now now, Decision* decision);
  bool NoticeSilence(const Views& views, Now now, Decision* decision);
  bool JudgeTraffic(const std::vector<publish::NodeView>& nodes, const Views& views,
                    Decision* decision);
  Control CollectControl(const std::vector<publish::NodeView>& nodes,
                         std::vector<std::string>* broken);
  void AfterBake(const std::vector<publish::NodeView>& nodes, const Views& views, Now now,
                 Decision* decision);
  // Whether what it serves says something about the version. Of one that concerns nobody, all do.
  bool Tells(const publish::NodeView& node) const { return node.concerned || concerns_nobody_; }
  void Advance(const std::vector<publish::NodeView>& nodes, Now now, Decision* decision);
  void Fail(const v1::RolloutFinding& finding, Now now, Decision* decision);
  void PauseFor(const std::string& reason);

  v1::Rollout record_;
  int64_t phase_ms_ = 0;  // When the present state began.
  Now now_;
  bool unjudged_ = false;  // For want of word from the nodes without the version.
  bool concerns_nobody_ = false;
  uint64_t served_ = 0;  // With the version, by nodes that it concerns, since the bake began.
  std::unordered_map<std::string, int64_t> silent_since_ms_;
  struct ControlStart {
    publish::Traffic counters;
    int64_t report_ms = 0;
  };
  std::unordered_map<std::string, ControlStart> control_start_;
};

}  // namespace sluice::rollout
