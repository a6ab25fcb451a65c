#include "controlplane/publish/fleet.h"

#include <algorithm>

namespace sluice::publish {
namespace {

using Progress = v1::NodeProgress;

SharedMessage PrepareMessage(const std::string& root, bool dry_run) {
  auto message = std::make_shared<v1::ControllerMessage>();
  message->mutable_prepare()->set_root(root);
  message->mutable_prepare()->set_dry_run(dry_run);
  return message;
}

}  // namespace

Fleet::Fleet(FleetOptions options, DeltaCache::Load load, Send send)
    : options_(options), send_(std::move(send)), deltas_(std::move(load)) {}

void Fleet::SetReleased(const v1::Version& version, SharedResources resources) {
  released_ = version;
  released_resources_ = std::move(resources);
  deltas_.Know(version.root(), released_resources_);
}

void Fleet::Remember(const std::string& node_id, const v1::Hello& hello, int64_t last_seen_unix_ms) {
  Node& node = nodes_[node_id];
  node.id = node_id;
  node.hello = hello;
  node.last_seen_unix_ms = last_seen_unix_ms;
  node.note = "not seen since the controller started";
}

bool Fleet::Forget(const std::string& node_id) {
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end() || found->second.connected()) return false;
  nodes_.erase(found);
  return true;
}

Node* Fleet::FindStream(uint64_t stream) {
  for (auto& [id, node] : nodes_) {
    if (node.stream == stream) return &node;
  }
  return nullptr;
}

Fleet::Participant* Fleet::FindParticipant(const std::string& node_id) {
  const auto found = participants_.find(node_id);
  return found == participants_.end() ? nullptr : &found->second;
}

uint64_t Fleet::OnHello(uint64_t stream, const v1::Hello& hello, const std::string& peer,
                        int64_t now_ms, int64_t now_unix_ms) {
  Node& node = nodes_[hello.node_id()];
  const uint64_t replaced = node.stream;
  if (replaced != 0) OnDisconnect(replaced, "replaced by a newer connection", now_ms);
  if (node.hello.boot_id() != hello.boot_id()) {
    // A new process may have what the old one lacked.
    node.rejected_root.clear();
    node.errors.clear();
    node.report.Clear();
    node.previous_report.Clear();
    node.report_ms = node.previous_report_ms = 0;
  }
  node.id = hello.node_id();
  node.hello = hello;
  node.peer = peer;
  node.stream = stream;
  node.connected_ms = node.last_seen_ms = now_ms;
  node.last_seen_unix_ms = now_unix_ms;
  if (node.version.root() != hello.current().root()) node.version_since_unix_ms = now_unix_ms;
  node.version = hello.current();
  node.base_root = hello.current().root();
  node.stage = Stage::kIdle;
  node.bytes_sent = 0;
  node.note = replaced != 0 ? "took over from an older connection of the same name" : "";
  auto welcome = std::make_shared<v1::ControllerMessage>();
  welcome->mutable_welcome()->set_protocol_version(1);
  welcome->mutable_welcome()->set_report_interval_ms(
      static_cast<uint32_t>(options_.report_interval_ms));
  send_(stream, std::move(welcome));
  CatchUp(node, now_ms);
  return replaced;
}

void Fleet::OnDisconnect(uint64_t stream, const std::string& note, int64_t now_ms) {
  Node* node = FindStream(stream);
  if (node == nullptr) return;
  node->stream = 0;
  node->stage = Stage::kIdle;
  node->note = note;
  Participant* participant = FindParticipant(node->id);
  if (participant != nullptr && participant->stage != Progress::EFFECTIVE &&
      participant->stage != Progress::REJECTED) {
    participant->stage = Progress::LAGGING;
  }
  Decide(now_ms);
}

// --- To one node.

void Fleet::Offer(Node& node, const v1::Version& version, const SharedResources& resources,
                  bool dry_run, int64_t now_ms) {
  const auto& messages = deltas_.Messages(node.base_root, version, resources);
  for (const SharedMessage& message : messages) send_(node.stream, message);
  send_(node.stream, PrepareMessage(version.root(), dry_run));
  node.bytes_sent += DeltaCache::BytesOf(messages);
  node.stage = Stage::kOffered;
  node.offered = version;
  node.dry_run = dry_run;
  node.prepare_deadline_ms = now_ms + options_.prepare_timeout_ms;
}

// Brings a node that stands outside a rollout to what is released.
void Fleet::CatchUp(Node& node, int64_t now_ms) {
  if (!node.connected() || released_.root().empty() || node.stage != Stage::kIdle) return;
  if (node.rejected_root == released_.root()) return;
  if (node.version.root() == released_.root()) {
    node.lagging = false;
    // The same content under another number: nothing is transferred but the number.
    if (node.version.revision() != released_.revision() ||
        node.version.epoch() != released_.epoch()) {
      Commit(node, released_, now_ms);
    }
    return;
  }
  Offer(node, released_, released_resources_, false, now_ms);
}

void Fleet::Commit(Node& node, const v1::Version& version, int64_t now_ms) {
  auto message = std::make_shared<v1::ControllerMessage>();
  *message->mutable_commit()->mutable_version() = version;
  send_(node.stream, std::move(message));
  node.stage = Stage::kCommitted;
  node.offered = version;
  node.base_root = version.root();
  node.prepare_deadline_ms = now_ms + options_.prepare_timeout_ms;
}

void Fleet::Discard(Node& node, const std::string& root) {
  auto message = std::make_shared<v1::ControllerMessage>();
  message->mutable_discard()->set_root(root);
  send_(node.stream, std::move(message));
  node.stage = Stage::kIdle;
}

// --- The rollout.

void Fleet::StartRollout(RolloutRequest request, int64_t now_ms) {
  rollout_ = std::move(request);
  phase_ = RolloutPhase::kPreparing;
  participants_.clear();
  deltas_.Know(rollout_.version.root(), rollout_.resources);
  for (auto& [id, node] : nodes_) {
    if (!node.connected()) continue;
    Participant& participant = participants_[id];
    if (node.version.root() == rollout_.version.root() && node.base_root == node.version.root()) {
      // Already there: a rollback to what it serves, for example.
      node.stage = Stage::kPrepared;
      node.offered = rollout_.version;
      participant.stage = Progress::PREPARED;
      continue;
    }
    if (node.rejected_root == rollout_.version.root() && !rollout_.dry_run) {
      participant.stage = Progress::REJECTED;
      participant.errors = node.errors;
      continue;
    }
    Offer(node, rollout_.version, rollout_.resources, rollout_.dry_run, now_ms);
  }
  Decide(now_ms);
}

// Ends the preparing when nobody is waited for any more.
void Fleet::Decide(int64_t now_ms) {
  if (phase_ != RolloutPhase::kPreparing) return;
  int rejected = 0;
  int prepared = 0;
  for (const auto& [id, participant] : participants_) {
    if (participant.stage == Progress::OFFERED) return;
    rejected += participant.stage == Progress::REJECTED;
    prepared += participant.stage == Progress::PREPARED;
  }
  const bool refused = rejected > 0 && (!rollout_.partial || prepared == 0);
  if (refused || rollout_.dry_run) {
    phase_ = refused ? RolloutPhase::kRefused : RolloutPhase::kPrepared;
    for (const auto& [id, participant] : participants_) {
      Node& node = nodes_[id];
      if (node.connected() && node.stage == Stage::kPrepared) {
        Discard(node, rollout_.version.root());
        CatchUp(node, now_ms);
      }
    }
    return;
  }
  phase_ = RolloutPhase::kReleased;
  SetReleased(rollout_.version, rollout_.resources);
  for (auto& [id, node] : nodes_) {
    if (!node.connected()) continue;
    if (node.stage == Stage::kPrepared) {
      Commit(node, released_, now_ms);
    } else {
      CatchUp(node, now_ms);
    }
  }
}

bool Fleet::settled() const {
  for (const auto& [id, participant] : participants_) {
    if (participant.stage != Progress::EFFECTIVE && participant.stage != Progress::REJECTED &&
        participant.stage != Progress::LAGGING) {
      return phase_ == RolloutPhase::kRefused || phase_ == RolloutPhase::kPrepared;
    }
  }
  return phase_ != RolloutPhase::kPreparing;
}

std::vector<v1::NodeProgress> Fleet::Progress() const {
  std::vector<v1::NodeProgress> list;
  for (const auto& [id, participant] : participants_) {
    v1::NodeProgress& progress = list.emplace_back();
    progress.set_node_id(id);
    progress.set_stage(participant.stage);
    for (const v1::ResourceError& error : participant.errors) *progress.add_errors() = error;
  }
  return list;
}

// --- What nodes say.

void Fleet::OnMessage(uint64_t stream, const v1::ProxyMessage& message, int64_t now_ms,
                      int64_t now_unix_ms) {
  Node* node = FindStream(stream);
  if (node == nullptr) return;
  node->last_seen_ms = now_ms;
  node->last_seen_unix_ms = now_unix_ms;
  switch (message.message_case()) {
    case v1::ProxyMessage::kPrepared:
      OnPrepared(*node, message.prepared().root(), now_ms);
      break;
    case v1::ProxyMessage::kRejected:
      OnRejected(*node, message.rejected(), now_ms);
      break;
    case v1::ProxyMessage::kApplied:
      if (Participant* participant = FindParticipant(node->id);
          participant != nullptr && participant->stage == Progress::PREPARED &&
          message.applied().version().root() == rollout_.version.root()) {
        participant->stage = Progress::APPLIED;
      }
      break;
    case v1::ProxyMessage::kEffective:
      OnEffective(*node, message.effective().version(), now_ms, now_unix_ms);
      break;
    case v1::ProxyMessage::kResync:
      OnResync(*node, now_ms);
      break;
    case v1::ProxyMessage::kReport:
      node->previous_report = std::move(node->report);
      node->previous_report_ms = node->report_ms;
      node->report = message.report();
      node->report_ms = now_ms;
      CatchUp(*node, now_ms);
      break;
    case v1::ProxyMessage::kHealthChange:
      for (v1::EndpointHealth& endpoint : *node->report.mutable_endpoints()) {
        const v1::EndpointHealth& changed = message.health_change().endpoint();
        if (endpoint.cluster() == changed.cluster() && endpoint.address() == changed.address()) {
          endpoint = changed;
        }
      }
      break;
    default:
      break;  // Of a newer proxy, or not for us.
  }
}

void Fleet::OnPrepared(Node& node, const std::string& root, int64_t now_ms) {
  if (node.stage != Stage::kOffered || node.offered.root() != root) return;  // Superseded.
  node.stage = Stage::kPrepared;
  node.resynced = false;
  Participant* participant = FindParticipant(node.id);
  const bool of_rollout = phase_ == RolloutPhase::kPreparing && root == rollout_.version.root();
  if (of_rollout && participant != nullptr && participant->stage == Progress::OFFERED) {
    participant->stage = Progress::PREPARED;
    Decide(now_ms);
    return;
  }
  if (!node.dry_run && root == released_.root()) {
    Commit(node, released_, now_ms);
    return;
  }
  if (of_rollout) return;  // Late, while others are still asked: committed with them.
  Discard(node, root);
  CatchUp(node, now_ms);
}

void Fleet::OnRejected(Node& node, const v1::Rejected& rejected, int64_t now_ms) {
  if (node.stage != Stage::kOffered || node.offered.root() != rejected.root()) return;
  node.stage = Stage::kIdle;
  node.errors.assign(rejected.errors().begin(), rejected.errors().end());
  // What a dry run found may be mended on the node before the real one.
  if (!node.dry_run) node.rejected_root = rejected.root();
  Participant* participant = FindParticipant(node.id);
  if (participant != nullptr && rejected.root() == rollout_.version.root()) {
    participant->stage = Progress::REJECTED;
    participant->errors = node.errors;
  }
  Decide(now_ms);
  CatchUp(node, now_ms);
}

void Fleet::OnResync(Node& node, int64_t now_ms) {
  node.base_root.clear();
  if (node.resynced) {
    v1::Rejected rejected;
    rejected.set_root(node.offered.root());
    rejected.add_errors()->set_message("the snapshot could not be rebuilt, even sent whole");
    node.stage = Stage::kOffered;
    node.resynced = false;
    OnRejected(node, rejected, now_ms);
    return;
  }
  node.resynced = true;
  const bool of_rollout = phase_ == RolloutPhase::kPreparing &&
                          node.offered.root() == rollout_.version.root();
  const int64_t deadline = node.prepare_deadline_ms;
  if (of_rollout) {
    Offer(node, rollout_.version, rollout_.resources, rollout_.dry_run, now_ms);
    node.prepare_deadline_ms = deadline;  // Resyncing wins no time.
  } else {
    node.stage = Stage::kIdle;
    CatchUp(node, now_ms);
  }
}

void Fleet::OnEffective(Node& node, const v1::Version& version, int64_t now_ms, int64_t now_unix_ms) {
  if (node.version.root() != version.root()) node.version_since_unix_ms = now_unix_ms;
  node.version = version;
  if (node.stage == Stage::kCommitted && node.offered.root() == version.root()) {
    node.stage = Stage::kIdle;
    node.lagging = false;
    node.errors.clear();
    node.rejected_root.clear();
  }
  Participant* participant = FindParticipant(node.id);
  if (participant != nullptr && phase_ == RolloutPhase::kReleased &&
      version.root() == rollout_.version.root()) {
    participant->stage = Progress::EFFECTIVE;
  }
  CatchUp(node, now_ms);
}

void Fleet::Tick(int64_t now_ms) {
  for (auto& [id, node] : nodes_) {
    if (!node.connected() || node.stage == Stage::kIdle || node.stage == Stage::kPrepared ||
        now_ms < node.prepare_deadline_ms) {
      continue;
    }
    node.lagging = true;
    if (Participant* participant = FindParticipant(id);
        participant != nullptr && (participant->stage == Progress::OFFERED ||
                                   participant->stage == Progress::PREPARED ||
                                   participant->stage == Progress::APPLIED)) {
      participant->stage = Progress::LAGGING;
    }
  }
  Decide(now_ms);
}

}  // namespace sluice::publish
