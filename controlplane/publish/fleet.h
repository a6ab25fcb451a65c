// The protocol's decisions: which node is sent what, when all may commit, what a node that came late or was
// slow gets. Messages in, messages out; no wire, no clock, no lock of its own.
//
// One rollout at a time. Prepare on every connected node precedes Commit on any; one rejection leaves all on
// the version before, unless `partial`. A node that does not answer in time is left behind and catches up alone.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "controlplane/publish/delta_cache.h"
#include "controlplane/publish/node.h"

namespace sluice::publish {

struct FleetOptions {
  int64_t prepare_timeout_ms = 10'000;
  int64_t report_interval_ms = 2'000;
};

enum class RolloutPhase : uint8_t {
  kNone,
  kPreparing,
  kReleased,  // Commits are out; some nodes may not be effective yet.
  kRefused,   // Nothing changed.
  kPrepared,  // Of a dry run: every node could.
};

struct RolloutRequest {
  v1::Version version;
  SharedResources resources;
  bool partial = false;
  bool dry_run = false;
};

class Fleet {
 public:
  // To one stream, in order. Offers that were not sent yet are superseded by later ones.
  using Send = std::function<void(uint64_t stream, SharedMessage message)>;

  Fleet(FleetOptions options, DeltaCache::Load load, Send send);

  // What every node is to have, without a rollout: at start.
  void SetReleased(const v1::Version& version, SharedResources resources);
  // A node seen in an earlier life of the controller.
  void Remember(const std::string& node_id, const v1::Hello& hello, int64_t last_seen_unix_ms);
  bool Forget(const std::string& node_id);  // False if it is connected or unknown.

  // The stream that this one takes the place of, 0 if none: the node with a newer boot wins.
  uint64_t OnHello(uint64_t stream, const v1::Hello& hello, const std::string& peer, int64_t now_ms,
                   int64_t now_unix_ms);
  void OnMessage(uint64_t stream, const v1::ProxyMessage& message, int64_t now_ms,
                 int64_t now_unix_ms);
  void OnDisconnect(uint64_t stream, const std::string& note, int64_t now_ms);
  void Tick(int64_t now_ms);

  // There must be no rollout in kPreparing.
  void StartRollout(RolloutRequest request, int64_t now_ms);
  RolloutPhase phase() const { return phase_; }
  // Every participant's stage.
  std::vector<v1::NodeProgress> Progress() const;
  // No participant is still on its way.
  bool settled() const;

  const v1::Version& released() const { return released_; }
  const SharedResources& released_resources() const { return released_resources_; }
  const std::map<std::string, Node>& nodes() const { return nodes_; }
  Node* FindStream(uint64_t stream);
  const FleetOptions& options() const { return options_; }

 private:
  struct Participant {
    v1::NodeProgress::Stage stage = v1::NodeProgress::OFFERED;
    std::vector<v1::ResourceError> errors;
  };

  void Offer(Node& node, const v1::Version& version, const SharedResources& resources, bool dry_run,
             int64_t now_ms);
  void CatchUp(Node& node, int64_t now_ms);
  void Commit(Node& node, const v1::Version& version, int64_t now_ms);
  void Discard(Node& node, const std::string& root);
  void Decide(int64_t now_ms);
  void OnPrepared(Node& node, const std::string& root, int64_t now_ms);
  void OnRejected(Node& node, const v1::Rejected& rejected, int64_t now_ms);
  void OnResync(Node& node, int64_t now_ms);
  void OnEffective(Node& node, const v1::Version& version, int64_t now_ms, int64_t now_unix_ms);
  Participant* FindParticipant(const std::string& node_id);

  const FleetOptions options_;
  const Send send_;
  DeltaCache deltas_;
  std::map<std::string, Node> nodes_;
  v1::Version released_;
  SharedResources released_resources_;
  RolloutRequest rollout_;
  RolloutPhase phase_ = RolloutPhase::kNone;
  std::map<std::string, Participant> participants_;
};

}  // namespace sluice::publish
