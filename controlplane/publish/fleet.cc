#include "controlplane/publish/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/base/version.h"

namespace sluice::publish {
namespace {

using Progress = v1::NodeProgress;

// Then the version counts as refused: prepared and lost for ever is no way to live.
constexpr int kCommitsFailedMax = 3;
// Of a node's Hello.
constexpr int kRefusalsMax = 8;

SharedMessage PrepareMessage(const std::string& root, bool dry_run, bool keep) {
  v1::ControllerMessage message;
  message.mutable_prepare()->set_root(root);
  message.mutable_prepare()->set_dry_run(dry_run);
  message.mutable_prepare()->set_keep(keep);
  return Encode(message);
}

SharedMessage WelcomeMessage(const FleetOptions& options) {
  v1::ControllerMessage message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_protocol_version(1);
  welcome.set_report_interval_ms(static_cast<uint32_t>(options.report_interval_ms));
  welcome.set_term(options.term);
  welcome.set_log(options.log);
  welcome.set_controller_version(std::string(base::Version()));
  return Encode(message);
}

std::vector<v1::ResourceError> SaidBefore(std::vector<v1::ResourceError> errors) {
  if (errors.empty()) errors.emplace_back().set_message("it refused the version");
  errors.front().set_message(errors.front().message() +
                             " (it said so before; `apply --dry-run=nodes` asks it again)");
  return errors;
}

}  // namespace

Fleet::Fleet(FleetOptions options, DeltaCache::Load load, Send send)
    : options_(options),
      send_(std::move(send)),
      deltas_([this, load = std::move(load)](const std::string& root) {
        const SharedResources part = placement_.FindPart(root);
        return part != nullptr ? part : load(root);
      }) {}

void Fleet::SetReleased(const v1::Version& version, SharedResources resources) {
  released_ = version;
  released_resources_ = std::move(resources);
  deltas_.Know(version.root(), released_resources_);
}

void Fleet::Remember(const std::string& node_id, const v1::Hello& hello,
                     int64_t last_seen_unix_ms) {
  ProxyNode& node = nodes_[node_id];
  node.id = node_id;
  node.SetHello(hello);
  node.last_seen_unix_ms = last_seen_unix_ms;
  node.note = "not seen since the controller started";
}

bool Fleet::Forget(const std::string& node_id) {
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end() || found->second.connected()) return false;
  nodes_.erase(found);
  return true;
}

bool Fleet::SetCordoned(const std::string& node_id, bool cordoned, int64_t now_ms) {
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end()) return false;
  ProxyNode& node = found->second;
  node.cordoned = cordoned;
  if (!cordoned) {
    SendNext(node, now_ms);
    return true;
  }
  if (rollout_.active()) rollout_.Leave(node_id);
  const bool uncommitted = node.stage == Stage::kOffered || node.stage == Stage::kPrepared;
  if (node.connected() && uncommitted) Discard(node);
  Judge(now_ms);
  return true;
}

bool Fleet::SetLabels(const std::string& node_id, std::map<std::string, std::string> labels,
                      int64_t now_ms) {
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end()) return false;
  ProxyNode& node = found->second;
  node.SetLabels(std::move(labels));
  // Other services may be placed on it now. Who says it again asks again.
  node.ForgetRejected(MeantFor(node).root);
  TakeOfferBack(node);
  SendNext(node, now_ms);
  Judge(now_ms);
  return true;
}

ProxyNode* Fleet::FindStream(uint64_t stream) {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second;
}

// --- Coming and going.

Fleet::Greeting Fleet::OnHello(uint64_t stream, const v1::Hello& hello, const std::string& peer,
                               int64_t now_ms, int64_t now_unix_ms) {
  if (const absl::Status status = CheckHello(hello); !status.ok()) return {.status = status};
  if (!nodes_.contains(hello.node_id()) && nodes_.size() >= kNodesMax) {
    return {
        .status = absl::ResourceExhaustedError(fmt::format(
            "{} nodes are known already: remove some with `sluicectl node remove`", kNodesMax))};
  }
  ProxyNode& node = nodes_[hello.node_id()];
  const bool same_boot = node.hello.boot_id() == hello.boot_id();
  if (node.connected() && !same_boot &&
      std::find(node.replaced_boots.begin(), node.replaced_boots.end(), hello.boot_id()) !=
          node.replaced_boots.end()) {
    node.note = fmt::format("an older process at {} keeps connecting under the same name", peer);
    return {.status = absl::AlreadyExistsError(
                fmt::format("a newer process at {} is node {}: end this one or give it another "
                            "--node-id",
                            node.peer, node.id))};
  }
  const uint64_t replaced = node.stream;
  std::string note;
  if (replaced != 0) {
    if (!same_boot) {
      node.replaced_boots.push_back(node.hello.boot_id());
      if (node.replaced_boots.size() > ProxyNode::kBootsMax) node.replaced_boots.pop_front();
      note = fmt::format("took over from another process of the same name at {}", node.peer);
    }
    OnDisconnect(replaced, "replaced by a newer connection", now_ms);
  }
  if (!same_boot) {
    // A new process may have what the old one lacked.
    node.rejections.clear();
    node.errors.clear();
    node.report.Clear();
    node.previous_report.Clear();
    node.report_ms = node.previous_report_ms = 0;
    node.history = TrafficHistory();
    node.lagging = false;
  }
  node.id = hello.node_id();
  node.SetHello(hello);
  node.peer = peer;
  node.stream = stream;
  streams_[stream] = &node;
  node.last_seen_ms = now_ms;
  node.last_seen_unix_ms = now_unix_ms;
  const v1::Version current = Recognize(node, hello.current());
  if (node.version.root() != current.root() || node.version_since_unix_ms == 0) {
    node.version_since_unix_ms = now_unix_ms;
  }
  node.version = current;
  node.placed_root = node.base_root = hello.current().root();
  node.stage = Stage::kIdle;
  node.commits_failed = 0;
  node.bytes_sent = 0;
  node.note = note;
  send_(stream, WelcomeMessage(options_));
  TakeRefusals(node, now_ms);
  CatchUp(node, now_ms);
  return {.status = absl::OkStatus(), .replaced = replaced};
}

// What a node says when it comes that it will not serve: versions under which it died.
void Fleet::TakeRefusals(ProxyNode& node, int64_t now_ms) {
  for (int i = 0; i < std::min(node.hello.refuses_size(), kRefusalsMax); ++i) {
    const v1::Rejected& refused = node.hello.refuses(i);
    const std::vector<v1::ResourceError> errors(refused.errors().begin(), refused.errors().end());
    const Meant target = MeantFor(node);
    if (refused.root() == target.root) {
      node.NoteRejected(refused.root(), target.version.root(), errors);
    } else {
      node.RememberRejected(refused.root(), errors);  // No news of the present.
    }
    // A rollout that took it there hears why the node went away.
    if (!rollout_.root().empty() && refused.root() == RootOfRollout(node)) {
      rollout_.Reject(node.id, errors, now_ms);
    }
  }
}

void Fleet::OnDisconnect(uint64_t stream, const std::string& note, int64_t now_ms) {
  ProxyNode* node = FindStream(stream);
  if (node == nullptr) return;
  streams_.erase(stream);
  node->stream = 0;
  node->stage = Stage::kIdle;
  node->note = note;
  rollout_.Advance(node->id, Progress::LAGGING);
  Judge(now_ms);
}

// --- To one node.

void Fleet::Offer(ProxyNode& node, const v1::Version& version, const SharedResources& resources,
                  bool dry_run, int64_t now_ms) {
  const auto placed = PlacedFor(node, version, resources);
  const EncodedOffer& offer =
      deltas_.Find(node.base_root, placed->version, placed->resources, ChangedAsFor(node.hello));
  for (const SharedMessage& message : offer.messages) send_(node.stream, message);
  const bool keep = dry_run && rollout_.request().keep;
  send_(node.stream, PrepareMessage(placed->version.root(), dry_run, keep));
  node.bytes_sent += offer.bytes;
  node.stage = Stage::kOffered;
  node.offered = version;
  node.offered_root = placed->version.root();
  node.dry_run = dry_run;
  node.resynced = false;
  node.deadline_ms = now_ms + options_.prepare_timeout_ms;
}

std::vector<v1::ResourceError> Fleet::RefuseFor(ProxyNode& node, const v1::Version& version,
                                                const SharedResources& resources, bool dry_run) {
  const auto placed = PlacedFor(node, version, resources);
  std::vector<v1::ResourceError> errors = capabilities_.WhatIsLacking(
      placed->version.root(), placed->resources, node.hello, node.knows_everything);
  if (!errors.empty() && !dry_run) {
    node.NoteRejected(placed->version.root(), version.root(), errors);
  }
  return errors;
}

// What an idle node is to have next.
void Fleet::SendNext(ProxyNode& node, int64_t now_ms) {
  if (!node.connected() || node.stage != Stage::kIdle) return;
  if (rollout_.phase() == RolloutPhase::kPreparing && rollout_.IsWaiting(node.id)) {
    JoinRollout(node, now_ms);
  } else {
    CatchUp(node, now_ms);
  }
}

// Brings a node that stands outside a rollout to what is meant for it.
void Fleet::CatchUp(ProxyNode& node, int64_t now_ms) {
  const v1::Version& target = TargetOf(node.id);
  if (!node.connected() || target.root().empty() || node.stage != Stage::kIdle) return;
  const SharedResources& resources = ResourcesFor(node);
  const std::string root = RootFor(node, target, resources);
  if (node.placed_root != root) {
    if (!node.takes_versions() || node.FindRejection(root) != nullptr) return;
    if (!RefuseFor(node, target, resources, /*dry_run=*/false).empty()) return;
    Offer(node, target, resources, false, now_ms);
    return;
  }
  node.lagging = false;
  // The same content under another number: nothing is transferred but the number.
  if (node.version.revision() != target.revision() || node.version.epoch() != target.epoch()) {
    Commit(node, target, node.placed_root, now_ms);
    return;
  }
  // What it has was not known as this version's while its labels were others.
  if (node.report.current().root() == node.version.root()) {
    *node.report.mutable_current() = target;
  }
  node.version = target;
}

void Fleet::CatchUpAll(int64_t now_ms) {
  for (ProxyNode* node : NodesByPart(released_, released_resources_)) SendNext(*node, now_ms);
}

void Fleet::Commit(ProxyNode& node, const v1::Version& version, const std::string& root,
                   int64_t now_ms) {
  v1::ControllerMessage message;
  *message.mutable_commit()->mutable_version() = version;
  message.mutable_commit()->mutable_version()->set_root(root);
  send_(node.stream, Encode(message));
  node.stage = Stage::kCommitted;
  node.offered = version;
  node.offered_root = node.base_root = root;
  node.deadline_ms = now_ms + options_.prepare_timeout_ms;
}

void Fleet::Discard(ProxyNode& node) {
  v1::ControllerMessage message;
  message.mutable_discard()->set_root(node.offered_root);
  send_(node.stream, Encode(message));
  node.stage = Stage::kIdle;
}

// --- The rollout.

void Fleet::StartRollout(RolloutRequest request, int64_t now_ms) {
  SLUICE_CHECK(!rollout_.active());
  deltas_.Know(request.version.root(), request.resources);
  rollout_ = Rollout(std::move(request), now_ms + options_.prepare_timeout_ms);
  preflight_.clear();
  for (auto& [id, node] : nodes_) {
    if (node.takes_versions()) rollout_.Join(id, Progress::WAITING);
  }
  for (ProxyNode* node : NodesByPart(rollout_.request().version, rollout_.request().resources)) {
    if (node->takes_versions()) JoinRollout(*node, now_ms);
  }
  Judge(now_ms);
}

void Fleet::JoinRollout(ProxyNode& node, int64_t now_ms) {
  const RolloutRequest& request = rollout_.request();
  if (node.stage == Stage::kOffered) return;  // It has an answer to give first.
  const std::string root = RootOfRollout(node);
  const ProxyNode::Rejection* before = node.FindRejection(root);
  if (before != nullptr && !request.dry_run) {
    rollout_.Reject(node.id, SaidBefore(before->errors), now_ms);
    return;
  }
  if (node.base_root == root) {
    // Already there, or nearly: a rollback to what it serves, or a change of what it has no part
    // of.
    if (node.stage == Stage::kCommitted) return;  // Nearly: once it is effective it is asked again.
    node.stage = Stage::kPrepared;
    node.offered = request.version;
    node.offered_root = node.base_root;
    node.dry_run = request.dry_run;
    rollout_.Advance(node.id, Progress::PREPARED);
    return;
  }
  const std::vector<v1::ResourceError> lacking =
      RefuseFor(node, request.version, request.resources, request.dry_run);
  if (!lacking.empty()) {
    rollout_.Reject(node.id, lacking, now_ms);
    return;
  }
  Offer(node, request.version, request.resources, request.dry_run, now_ms);
  rollout_.Advance(node.id, Progress::OFFERED);
}

void Fleet::Judge(int64_t now_ms) {
  if (!rollout_.Judge(now_ms)) return;
  if (rollout_.phase() != RolloutPhase::kPrepared) LetGoOfPrepared(now_ms);
}

void Fleet::LetGoOfPrepared(int64_t now_ms) {
  for (auto& [id, node] : nodes_) {
    if (!node.connected() || !rollout_.Has(id)) continue;
    if (node.stage == Stage::kPrepared) Discard(node);
    SendNext(node, now_ms);
  }
}

void Fleet::Release(int64_t now_ms) {
  SLUICE_CHECK(rollout_.phase() == RolloutPhase::kPrepared);
  rollout_.MarkReleased();
  candidate_.reset();
  SetReleased(rollout_.request().version, rollout_.request().resources);
  for (auto& [id, node] : nodes_) {
    if (!node.connected()) continue;
    if (node.stage == Stage::kPrepared) {
      Commit(node, released_, node.offered_root, now_ms);
    } else {
      SendNext(node, now_ms);
    }
  }
}

void Fleet::Abandon(int64_t now_ms) {
  if (!rollout_.active()) return;
  rollout_.MarkRefused();
  LetGoOfPrepared(now_ms);
}

// --- What nodes say.

void Fleet::OnMessage(uint64_t stream, const v1::ProxyMessage& message, int64_t now_ms,
                      int64_t now_unix_ms) {
  ProxyNode* node = FindStream(stream);
  if (node == nullptr) return;
  node->last_seen_ms = now_ms;
  node->last_seen_unix_ms = now_unix_ms;
  switch (message.message_case()) {
    case v1::ProxyMessage::kPrepared:
      return OnPrepared(*node, message.prepared().root(), now_ms);
    case v1::ProxyMessage::kRejected:
      return OnRejected(*node, message.rejected(), now_ms);
    case v1::ProxyMessage::kApplied:
      if (rollout_.phase() == RolloutPhase::kReleased && node->offered.root() == rollout_.root() &&
          message.applied().version().root() == node->offered_root) {
        rollout_.Advance(node->id, Progress::APPLIED);
      }
      return;
    case v1::ProxyMessage::kEffective:
      return OnEffective(*node, message.effective().version(), now_ms, now_unix_ms);
    case v1::ProxyMessage::kResync:
      return OnResync(*node, message.resync(), now_ms);
    case v1::ProxyMessage::kReport:
      return OnReport(*node, message.report(), now_ms, now_unix_ms);
    case v1::ProxyMessage::kPreflightReport:
      return OnPreflightReport(*node, message.preflight_report());
    case v1::ProxyMessage::kHealthChange:
      return NoteHealth(message.health_change().endpoint(), &node->report);
    default:
      return;  // Of a newer proxy, or not for us.
  }
}

// True of an offer in flight that the active rollout made.
bool Fleet::IsOfRollout(const ProxyNode& node) const {
  return rollout_.active() && rollout_.Has(node.id) && !rollout_.IsWaiting(node.id) &&
         node.offered.root() == rollout_.root() && node.dry_run == rollout_.request().dry_run;
}

void Fleet::OnPrepared(ProxyNode& node, const std::string& root, int64_t now_ms) {
  if (node.stage != Stage::kOffered || node.offered_root != root) return;  // Superseded.
  node.stage = Stage::kPrepared;
  node.ForgetRejected(root);
  if (IsOfRollout(node)) {
    // Also when it is late: it is committed with the others if they are not done yet.
    rollout_.Advance(node.id, Progress::PREPARED);
    Judge(now_ms);
    return;
  }
  const bool superseded =
      rollout_.phase() == RolloutPhase::kPreparing && rollout_.IsWaiting(node.id);
  const Meant target = MeantFor(node);
  if (!superseded && !node.dry_run && root == target.root) {
    Commit(node, target.version, root, now_ms);
    return;
  }
  Discard(node);
  SendNext(node, now_ms);
  Judge(now_ms);
}

void Fleet::OnRejected(ProxyNode& node, const v1::Rejected& rejected, int64_t now_ms) {
  if (node.stage != Stage::kOffered || node.offered_root != rejected.root()) return;
  node.stage = Stage::kIdle;
  const std::vector<v1::ResourceError> errors(rejected.errors().begin(), rejected.errors().end());
  // What a dry run found may be mended on the node before the real one.
  if (!node.dry_run) {
    node.NoteRejected(node.offered_root, node.offered.root(), errors);
  }
  // A rollout that is over hears of it too: the node was left behind and now says why.
  const bool of_released = rollout_.phase() == RolloutPhase::kReleased && !node.dry_run &&
                           node.offered_root == RootOfRollout(node);
  if (IsOfRollout(node) || of_released) rollout_.Reject(node.id, errors, now_ms);
  SendNext(node, now_ms);
  Judge(now_ms);
}

void Fleet::OnResync(ProxyNode& node, const v1::Resync& resync, int64_t now_ms) {
  if (node.stage == Stage::kCommitted && resync.expected_root() == node.offered_root) {
    // It lost what it had prepared. What it serves its next words will tell.
    node.stage = Stage::kIdle;
    node.base_root.clear();
    if (node.placed_root == node.offered_root) node.placed_root.clear();  // It does not serve it.
    if (++node.commits_failed >= kCommitsFailedMax) {
      std::vector<v1::ResourceError> errors(1);
      errors.front().set_message("it prepares the version but cannot commit it");
      node.NoteRejected(node.offered_root, node.offered.root(), errors);
      rollout_.Reject(node.id, errors, now_ms);
    }
    SendNext(node, now_ms);
    return;
  }
  if (node.stage != Stage::kOffered || resync.expected_root() != node.offered_root) return;
  if (node.resynced || node.base_root.empty()) {
    v1::Rejected rejected;
    rejected.set_root(node.offered_root);
    rejected.add_errors()->set_message("the snapshot could not be rebuilt, even sent whole");
    OnRejected(node, rejected, now_ms);
    return;
  }
  node.base_root.clear();
  const int64_t deadline_ms = node.deadline_ms;  // Resyncing wins no time.
  if (IsOfRollout(node)) {
    Offer(node, rollout_.request().version, rollout_.request().resources, node.dry_run, now_ms);
  } else {
    node.stage = Stage::kIdle;
    SendNext(node, now_ms);
  }
  if (node.stage != Stage::kOffered) return;
  node.resynced = true;
  node.deadline_ms = deadline_ms;
}

void Fleet::OnEffective(ProxyNode& node, const v1::Version& said, int64_t now_ms,
                        int64_t now_unix_ms) {
  const v1::Version version = Recognize(node, said);
  if (node.version.root() != version.root()) {
    node.version_since_unix_ms = now_unix_ms;
    node.history = TrafficHistory();  // What another version did is no excuse for the next.
  }
  node.version = version;
  node.placed_root = said.root();
  if (node.stage == Stage::kCommitted && node.offered_root == said.root()) {
    node.stage = Stage::kIdle;
    node.lagging = false;
    node.commits_failed = 0;
    node.errors.clear();
  }
  if (rollout_.phase() == RolloutPhase::kReleased && version.root() == rollout_.root()) {
    rollout_.Advance(node.id, Progress::EFFECTIVE);
  }
  SendNext(node, now_ms);
  Judge(now_ms);  // It may have been the last that was awaited.
}

void Fleet::OnReport(ProxyNode& node, const v1::Report& report, int64_t now_ms,
                     int64_t now_unix_ms) {
  KeepReport(report, &node);
  if (report.has_current()) {
    *node.report.mutable_current() = Recognize(node, report.current());
  }
  node.report_ms = now_ms;
  if (report.current().root() == node.placed_root) {
    node.history.Add(TrafficOf(node.report), now_ms);
  }
  if (node.stage != Stage::kIdle) return;
  // It proves what it has; should that be something else than we thought, it is brought forward.
  if (report.has_current() && report.current().root() != node.placed_root) {
    node.version = node.report.current();
    node.placed_root = node.base_root = report.current().root();
    node.version_since_unix_ms = now_unix_ms;
    node.history = TrafficHistory();
  } else if (report.has_current()) {
    node.version = node.report.current();  // The number is its own word, too.
  }
  SendNext(node, now_ms);
}

void Fleet::Tick(int64_t now_ms) {
  for (auto& [id, node] : nodes_) {
    const bool awaited = node.stage == Stage::kOffered || node.stage == Stage::kCommitted;
    if (!node.connected() || !awaited || now_ms < node.deadline_ms) continue;
    node.lagging = true;
    if (!rollout_.active()) rollout_.Advance(id, Progress::LAGGING);
  }
  Judge(now_ms);
}

}  // namespace sluice::publish
