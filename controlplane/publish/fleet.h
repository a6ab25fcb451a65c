// The protocol's decisions: which node is sent what, what a node that came late or was slow gets.
// Messages in, messages out; no wire, no clock, no lock of its own.
//
// One rollout at a time. Prepare on every connected node precedes Commit on any; one rejection
// leaves all on the version before, unless `partial`. A node that does not answer in time is left
// behind and catches up alone. One offer is in flight to a node at a time; when it is answered, the
// newest version that is meant for the node follows, and what lay between never does.
//
// While a version goes out in waves it is the candidate: meant for the nodes it has been released
// to, whatever becomes of their streams, and for nobody else.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "controlplane/publish/capabilities.h"
#include "controlplane/publish/delta_cache.h"
#include "controlplane/publish/node.h"
#include "controlplane/publish/node_view.h"
#include "controlplane/publish/placement.h"
#include "controlplane/publish/rollout.h"

namespace sluice::publish {

struct FleetOptions {
  int64_t prepare_timeout_ms = 10'000;
  int64_t report_interval_ms = 2'000;
  uint64_t term = 0;  // Of the controller that leads; 0: it is the only one.
  std::string log;    // That the term is of.
};

class Fleet {
 public:
  // Connected and remembered. More are refused until some are removed.
  static constexpr size_t kNodesMax = 20'000;

  // To one stream, in order. Offers that were not sent yet are superseded by later ones.
  using Send = std::function<void(uint64_t stream, SharedMessage message)>;

  Fleet(FleetOptions options, DeltaCache::Load load, Send send);

  // What every node is to have, without a rollout: at start.
  void SetReleased(const v1::Version& version, SharedResources resources);
  // A node seen in an earlier life of the controller.
  void Remember(const std::string& node_id, const v1::Hello& hello, int64_t last_seen_unix_ms);
  bool Forget(const std::string& node_id);  // False if it is connected or unknown.
  // What operators say of a node; false if it is unknown. A cordoned node leaves a rollout that has
  // not been released; what was committed to it stays.
  bool SetCordoned(const std::string& node_id, bool cordoned, int64_t now_ms);
  bool SetLabels(const std::string& node_id, std::map<std::string, std::string> labels,
                 int64_t now_ms);

  struct Greeting {
    absl::Status status;    // Not OK: the stream is to be closed with this.
    uint64_t replaced = 0;  // The stream that this one takes the place of; 0: none.
  };
  // Of two processes with one name the newer wins; the older may not come back while it is there.
  Greeting OnHello(uint64_t stream, const v1::Hello& hello, const std::string& peer, int64_t now_ms,
                   int64_t now_unix_ms);
  void OnMessage(uint64_t stream, const v1::ProxyMessage& message, int64_t now_ms,
                 int64_t now_unix_ms);
  void OnDisconnect(uint64_t stream, const std::string& note, int64_t now_ms);
  void Tick(int64_t now_ms);

  // There must be no active rollout.
  void StartRollout(RolloutRequest request, int64_t now_ms);
  // After kPrepared: commits everywhere, or discards everywhere. Abandon also ends a rollout that
  // is still preparing.
  void Release(int64_t now_ms);
  void Abandon(int64_t now_ms);

  // --- Preflight; fleet_preflight.cc.
  using Audience = std::set<std::string>;  // Names of nodes.
  // After kPrepared: those of `among` that hold the version ready, serve another and know how route
  // a share of their requests by it too, until it is released or abandoned. How many they are.
  size_t BeginPreflight(const Audience& among, uint32_t sample_percent);
  // Who does so, and what they have found so far; without durations.
  v1::PreflightSummary PreflightFindings() const;

  // --- Waves.
  // After kPrepared, in place of Release: for these nodes only. Takes the place of a candidate
  // before it, whose nodes go back if they are not among these.
  void ReleaseTo(Audience audience, int64_t now_ms);
  // The same for a candidate of an earlier life of the controller.
  void SetCandidate(const v1::Version& version, SharedResources resources, Audience audience);
  void Widen(Audience audience, int64_t now_ms);
  // It becomes what is released to all, or what nobody is to have.
  void PromoteCandidate(int64_t now_ms);
  void WithdrawCandidate(int64_t now_ms);
  // What this node is to have.
  const v1::Version& TargetOf(const std::string& node_id) const;
  Meant MeantFor(const ProxyNode& node) const;
  // Every node, as one judges it who releases the version with this root in the order of this
  // label's values.
  std::vector<NodeView> View(const std::string& root, const std::string& order_by,
                             int64_t now_ms) const;

  const Rollout& rollout() const { return rollout_; }

  const v1::Version& released() const { return released_; }
  const std::map<std::string, ProxyNode>& nodes() const { return nodes_; }
  ProxyNode* FindStream(uint64_t stream);
  const FleetOptions& options() const { return options_; }
  uint64_t deltas_encoded() const { return deltas_.encoded_count(); }

 private:
  // What of a version the node gets; fleet_placement.cc.
  std::shared_ptr<const PlacedVersion> PlacedFor(const ProxyNode& node, const v1::Version& version,
                                                 const SharedResources& resources) const;
  std::string RootFor(const ProxyNode& node, const v1::Version& version,
                      const SharedResources& resources) const;
  std::string RootOfRollout(const ProxyNode& node) const;  // Empty: there is none.
  // Nodes name a version by the root of what they got of it: which one the node means. As it says
  // where that is not known.
  v1::Version Recognize(const ProxyNode& node, const v1::Version& said) const;
  const SharedResources& ResourcesFor(const ProxyNode& node) const;  // Of TargetOf.
  // Those with the same part one after the other, so that what is made for one serves the next.
  std::vector<ProxyNode*> NodesByPart(const v1::Version& version, const SharedResources& resources);
  // Its labels are others: what it was offered by those before is not to be committed any more.
  void TakeOfferBack(ProxyNode& node);

  void Offer(ProxyNode& node, const v1::Version& version, const SharedResources& resources,
             bool dry_run, int64_t now_ms);
  // What the node refuses or lacks of a version, before it is offered: it then counts as having
  // refused it. Empty: it may be offered.
  std::vector<v1::ResourceError> RefuseFor(ProxyNode& node, const v1::Version& version,
                                           const SharedResources& resources, bool dry_run);
  void TakeRefusals(ProxyNode& node, int64_t now_ms);
  void JoinRollout(ProxyNode& node, int64_t now_ms);
  void SendNext(ProxyNode& node, int64_t now_ms);
  void CatchUp(ProxyNode& node, int64_t now_ms);
  void CatchUpAll(int64_t now_ms);
  // `root`: of what the node has ready of the version.
  void Commit(ProxyNode& node, const v1::Version& version, const std::string& root, int64_t now_ms);
  void Discard(ProxyNode& node);
  void Judge(int64_t now_ms);
  void LetGoOfPrepared(int64_t now_ms);
  void OnPrepared(ProxyNode& node, const std::string& root, int64_t now_ms);
  void OnRejected(ProxyNode& node, const v1::Rejected& rejected, int64_t now_ms);
  void OnResync(ProxyNode& node, const v1::Resync& resync, int64_t now_ms);
  void OnEffective(ProxyNode& node, const v1::Version& said, int64_t now_ms, int64_t now_unix_ms);
  void OnReport(ProxyNode& node, const v1::Report& report, int64_t now_ms, int64_t now_unix_ms);
  void OnPreflightReport(const ProxyNode& node, const v1::PreflightReport& report);
  bool IsOfRollout(const ProxyNode& node) const;

  const FleetOptions options_;
  const Send send_;
  mutable Placement placement_;  // It remembers what it is asked for.
  DeltaCache deltas_;
  Capabilities capabilities_;
  std::map<std::string, ProxyNode> nodes_;
  std::unordered_map<uint64_t, ProxyNode*> streams_;  // Into nodes_, whose entries do not move.
  v1::Version released_;
  SharedResources released_resources_;
  struct Candidate {
    v1::Version version;
    SharedResources resources;
    Audience audience;
  };
  std::optional<Candidate> candidate_;
  Rollout rollout_;
  // What each node has reported, by name; none yet where it has not.
  std::map<std::string, std::optional<v1::PreflightReport>> preflight_;
};

}  // namespace sluice::publish
