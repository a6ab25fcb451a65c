#include "controlplane/publish/hub.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/publish/labels.h"

namespace sluice::publish {
namespace {

constexpr std::chrono::milliseconds kTick{50};
constexpr int64_t kStatesEveryMs = 500;

absl::Status NoNode(const std::string& node_id) {
  return absl::NotFoundError(
      fmt::format("there is no node {}; `sluicectl get nodes` lists them", node_id));
}

}  // namespace

Hub::Hub(FleetOptions options, store::VersionStore& store, const notify::Notifier* notifier)
    : store_(store),
      notifier_(notifier),
      recorder_(store),
      fleet_(
          options, [this](const std::string& root) { return LoadRoot(root); },
          [this](uint64_t stream, SharedMessage message) { SendTo(stream, std::move(message)); }) {
  if (const auto nodes = store_.Nodes(); nodes.ok()) {
    for (const store::KnownNode& node : *nodes) {
      v1::Hello hello;
      hello.ParseFromString(node.hello);
      fleet_.Remember(node.node_id, hello, node.last_seen_unix_ms);
    }
  }
  RecallSettings();
  ticker_ = std::thread([this] { Ticking(); });
}

void Hub::RecallSettings() {
  auto settings = store_.AllNodeSettings();
  if (!settings.ok()) {
    base::LogError("what operators said of nodes: {}", std::string(settings.status().message()));
    return;
  }
  for (auto& [node_id, one] : *settings) {
    if (!fleet_.nodes().contains(node_id)) {
      // The controller was killed before the node's first visit was written down.
      v1::Hello hello;
      hello.set_node_id(node_id);
      fleet_.Remember(node_id, hello, 0);
    }
    fleet_.SetCordoned(node_id, one.cordoned, base::MonotonicMillis());
    fleet_.SetLabels(node_id, std::move(one.labels), base::MonotonicMillis());
  }
}

Hub::~Hub() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    Changed();
    answered_.notify_all();
    stopped_.notify_all();
  }
  ticker_.join();
}

SharedResources Hub::LoadRoot(const std::string& root) const {
  const auto revision = store_.RevisionOfRoot(root);
  if (!revision.ok()) return nullptr;
  auto resources = store_.Resources(*revision);
  if (!resources.ok()) return nullptr;
  return std::make_shared<const snapshot::Resources>(*std::move(resources));
}

void Hub::SendTo(uint64_t stream, SharedMessage message) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  if (message->kind == v1::ControllerMessage::kOffer ||
      message->kind == v1::ControllerMessage::kChunk) {
    counters_.snapshot_bytes_total += message->bytes.size();
  }
  found->second.outbox->Send(std::move(message));
}

void Hub::NoteRolloutEnd() {
  const Rollout& rollout = fleet_.rollout();
  if (rollout_started_ms_ == 0 || rollout.phase() != RolloutPhase::kReleased ||
      !rollout.settled()) {
    return;
  }
  const double seconds = static_cast<double>(base::MonotonicMillis() - rollout_started_ms_) / 1000;
  rollout_started_ms_ = 0;
  const auto& bounds = RolloutTimes::kBoundsSeconds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
  ++counters_.rollouts.counts[static_cast<size_t>(bucket)];
  counters_.rollouts.sum_seconds += seconds;
}

void Hub::Changed() {
  NoteRolloutEnd();
  ++generation_;
  changed_.notify_all();
  const std::pair rollout{fleet_.rollout().phase(), fleet_.rollout().settled()};
  if (rollout == rollout_seen_) return;
  rollout_seen_ = rollout;
  rollout_changed_.notify_all();
}

// --- Time.

void Hub::Ticking() {
  std::unique_lock lock(mutex_);
  int64_t states_seen_ms = 0;
  while (!stopping_) {
    const int64_t now = base::MonotonicMillis();
    const RolloutPhase before = fleet_.rollout().phase();
    const bool settled = fleet_.rollout().settled();
    fleet_.Tick(now);
    if (fleet_.rollout().phase() != before || fleet_.rollout().settled() != settled) Changed();
    if (now - states_seen_ms >= kStatesEveryMs) {
      states_seen_ms = now;
      NoticeStates(now);
      CloseSilent(now);
    }
    stopped_.wait_for(lock, kTick, [this] { return stopping_; });
  }
}

// A node that falls silent changes its state without a word.
void Hub::NoticeStates(int64_t now_ms) {
  bool changed = false;
  for (const auto& [id, node] : fleet_.nodes()) {
    const v1::NodeStatus::State state =
        StateOf(node, fleet_.MeantFor(node), now_ms, fleet_.options().report_interval_ms);
    const auto [seen, added] = states_.try_emplace(id, SeenState{.state = state});
    changed |= added;
    if (seen->second.state == state) continue;
    seen->second.state = state;
    changed = true;
    NotifyState(node, now_ms, &seen->second);
  }
  if (states_.size() != fleet_.nodes().size()) {
    std::erase_if(states_, [this](const auto& one) { return !fleet_.nodes().contains(one.first); });
    changed = true;
  }
  if (changed) Changed();
}

// Coming and going is told where it happens.
void Hub::NotifyState(const ProxyNode& node, int64_t now_ms, SeenState* seen) const {
  const bool silent = seen->state == v1::NodeStatus::UNREACHABLE && node.connected();
  if (silent || seen->state == v1::NodeStatus::REJECTED) {
    seen->complained = true;
    Notify(node, silent ? "unreachable" : "rejected",
           StatusOf(node, fleet_.MeantFor(node), now_ms, fleet_.options().report_interval_ms)
               .reason());
  } else if (seen->complained && seen->state == v1::NodeStatus::SYNCED) {
    seen->complained = false;
    Notify(node, "recovered", "");
  }
}

void Hub::Notify(const ProxyNode& node, std::string_view action, std::string message) const {
  if (notifier_ == nullptr) return;
  notifier_->Publish({.kind = notify::EventKind::kNode,
                      .action = std::string(action),
                      .version = node.version,
                      .node_id = node.id,
                      .author = "",
                      .message = std::move(message)});
}

void Hub::CloseSilent(int64_t now_ms) {
  std::vector<uint64_t> silent;
  for (const auto& [stream, state] : streams_) {
    if (!state.greeted && now_ms - state.opened_ms >= kHelloTimeoutMs) silent.push_back(stream);
  }
  for (const uint64_t stream : silent) {
    CloseStream(stream, absl::DeadlineExceededError("no Hello came"));
  }
}

// --- Streams.

uint64_t Hub::Open(std::shared_ptr<Outbox> outbox) {
  const std::lock_guard lock(mutex_);
  if (!serving_) {
    outbox->Close(absl::UnavailableError("the controller is ending"));
    return 0;
  }
  const uint64_t stream = next_stream_++;
  streams_.emplace(stream, Stream{std::move(outbox), base::MonotonicMillis(), false});
  ++counters_.streams_total;
  return stream;
}

void Hub::CloseStream(uint64_t stream, const absl::Status& reason) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  found->second.outbox->Close(reason);
  streams_.erase(found);
  answered_.notify_all();
}

void Hub::OnHello(uint64_t stream, const v1::Hello& hello, const std::string& peer) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;  // Closed meanwhile.
  if (found->second.greeted) {
    CloseStream(stream, absl::InvalidArgumentError("a second Hello on one stream"));
    fleet_.OnDisconnect(stream, "it said Hello twice", base::MonotonicMillis());
    return;
  }
  found->second.greeted = true;
  const Fleet::Greeting greeting =
      fleet_.OnHello(stream, hello, peer, base::MonotonicMillis(), base::UnixMillis());
  if (!greeting.status.ok()) {
    base::LogWarn("node {} at {} is refused: {}", hello.node_id().substr(0, 128), peer,
                  std::string(greeting.status.message()));
    CloseStream(stream, greeting.status);
    return;
  }
  base::LogInfo("node {} connected from {}, version {}", hello.node_id(), peer,
                hello.current().revision());
  recorder_.See(hello.node_id(), hello.SerializeAsString(), base::UnixMillis());
  Notify(fleet_.nodes().at(hello.node_id()), "connected", "from " + peer);
  CloseStream(greeting.replaced,
              absl::AlreadyExistsError(
                  fmt::format("a newer connection from {} is node {}", peer, hello.node_id())));
}

void Hub::LogRejection(uint64_t stream, const v1::Rejected& rejected) const {
  const ProxyNode* node = const_cast<Fleet&>(fleet_).FindStream(stream);
  for (const v1::ResourceError& error : rejected.errors()) {
    base::LogWarn("node {} refused {} {}: {}", node != nullptr ? node->id : "?",
                  error.resource().name(), error.field(), error.message());
  }
}

void Hub::OnMessage(uint64_t stream, const v1::ProxyMessage& message, const std::string& peer) {
  const std::lock_guard lock(mutex_);
  if (message.has_hello()) {
    OnHello(stream, message.hello(), peer);
  } else if (message.has_command_result()) {
    OnCommandResult(message.command_result());
  } else {
    if (message.has_rejected()) {
      ++counters_.rejections_total;
      LogRejection(stream, message.rejected());
    }
    if (message.has_resync()) ++counters_.resyncs_total;
    fleet_.OnMessage(stream, message, base::MonotonicMillis(), base::UnixMillis());
  }
  Changed();
}

void Hub::OnCommandResult(const v1::CommandResult& result) {
  const auto found = commands_.find(result.id());
  if (found == commands_.end()) return;
  found->second->done = true;
  found->second->result = result;
  answered_.notify_all();
}

void Hub::OnClosed(uint64_t stream, const std::string& note) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
  answered_.notify_all();
  if (const ProxyNode* node = fleet_.FindStream(stream); node != nullptr) {
    base::LogInfo("node {} disconnected: {}", node->id, note);
    if (serving_) Notify(*node, "disconnected", note);  // Else it is our own end, not its.
    // Before anybody can see that it has gone, and have it forgotten.
    recorder_.See(node->id, node->HelloAsSaid().SerializeAsString(), base::UnixMillis());
  }
  fleet_.OnDisconnect(stream, note, base::MonotonicMillis());
  Changed();
}

void Hub::Shutdown(uint32_t retry_after_ms) {
  const std::lock_guard lock(mutex_);
  serving_ = false;
  fleet_.Abandon(base::MonotonicMillis());
  v1::ControllerMessage message;
  message.mutable_backoff()->set_retry_after_ms(retry_after_ms);
  const SharedMessage backoff = Encode(message);
  for (auto& [stream, state] : streams_) {
    state.outbox->Send(backoff);
    state.outbox->Close(absl::UnavailableError("the controller is ending"));
  }
  streams_.clear();
  answered_.notify_all();
  Changed();
}

bool Hub::serving() const {
  const std::lock_guard lock(mutex_);
  return serving_;
}

// --- Versions.

void Hub::SetReleased(const v1::Version& version, SharedResources resources) {
  const std::lock_guard lock(mutex_);
  fleet_.SetReleased(version, std::move(resources));
  Changed();
}

void Hub::StartRollout(RolloutRequest request) {
  const std::lock_guard lock(mutex_);
  rollout_started_ms_ = base::MonotonicMillis();
  fleet_.StartRollout(std::move(request), rollout_started_ms_);
  if (!serving_) fleet_.Abandon(base::MonotonicMillis());
  Changed();
}

Hub::RolloutView Hub::ViewRollout() const {
  const std::lock_guard lock(mutex_);
  const Rollout& rollout = fleet_.rollout();
  return {rollout.phase(), rollout.settled(), rollout.Progress()};
}

bool Hub::WaitPrepared(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return rollout_changed_.wait_for(
      lock, timeout, [this] { return fleet_.rollout().phase() != RolloutPhase::kPreparing; });
}

bool Hub::WaitSettled(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return rollout_changed_.wait_for(lock, timeout, [this] { return fleet_.rollout().settled(); });
}

bool Hub::Release() {
  const std::lock_guard lock(mutex_);
  if (fleet_.rollout().phase() != RolloutPhase::kPrepared) return false;
  fleet_.Release(base::MonotonicMillis());
  Changed();
  return true;
}

void Hub::Abandon() {
  const std::lock_guard lock(mutex_);
  fleet_.Abandon(base::MonotonicMillis());
  Changed();
}

// --- Preflight.

size_t Hub::BeginPreflight(const Fleet::Audience& among, uint32_t sample_percent) {
  const std::lock_guard lock(mutex_);
  if (fleet_.rollout().phase() != RolloutPhase::kPrepared) return 0;
  return fleet_.BeginPreflight(among, sample_percent);
}

v1::PreflightSummary Hub::PreflightFindings() const {
  const std::lock_guard lock(mutex_);
  return fleet_.PreflightFindings();
}

// --- Waves.

bool Hub::ReleaseTo(Fleet::Audience audience) {
  const std::lock_guard lock(mutex_);
  if (fleet_.rollout().phase() != RolloutPhase::kPrepared) return false;
  fleet_.ReleaseTo(std::move(audience), base::MonotonicMillis());
  Changed();
  return true;
}

void Hub::SetCandidate(const v1::Version& version, SharedResources resources,
                       Fleet::Audience audience) {
  const std::lock_guard lock(mutex_);
  fleet_.SetCandidate(version, std::move(resources), std::move(audience));
  Changed();
}

void Hub::Widen(Fleet::Audience audience) {
  const std::lock_guard lock(mutex_);
  fleet_.Widen(std::move(audience), base::MonotonicMillis());
  Changed();
}

void Hub::PromoteCandidate() {
  const std::lock_guard lock(mutex_);
  fleet_.PromoteCandidate(base::MonotonicMillis());
  Changed();
}

void Hub::WithdrawCandidate() {
  const std::lock_guard lock(mutex_);
  fleet_.WithdrawCandidate(base::MonotonicMillis());
  Changed();
}

std::vector<NodeView> Hub::View(const std::string& root, const std::string& order_by) const {
  const std::lock_guard lock(mutex_);
  return fleet_.View(root, order_by, base::MonotonicMillis());
}

// --- For people.

v1::FleetStatus Hub::Status(const std::string& node_id) const {
  const std::lock_guard lock(mutex_);
  v1::FleetStatus status;
  *status.mutable_version() = fleet_.released();
  const int64_t now = base::MonotonicMillis();
  for (const auto& [id, node] : fleet_.nodes()) {
    if (!node_id.empty() && id != node_id) continue;
    *status.add_nodes() =
        StatusOf(node, fleet_.MeantFor(node), now, fleet_.options().report_interval_ms);
  }
  return status;
}

Hub::StateCounts Hub::CountStates() const {
  const std::lock_guard lock(mutex_);
  StateCounts counts{};
  const int64_t now = base::MonotonicMillis();
  for (const auto& [id, node] : fleet_.nodes()) {
    ++counts[static_cast<size_t>(
        StateOf(node, fleet_.MeantFor(node), now, fleet_.options().report_interval_ms))];
  }
  return counts;
}

std::map<std::string, std::string> Hub::RejectedRoots() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> roots;
  for (const auto& [id, node] : fleet_.nodes()) {
    if (!node.errors.empty()) roots.emplace(id, node.errors_root);
  }
  return roots;
}

std::map<std::pair<std::string, std::string>, Hub::HealthView> Hub::EndpointHealth() const {
  const std::lock_guard lock(mutex_);
  std::map<std::pair<std::string, std::string>, HealthView> view;
  for (const auto& [id, node] : fleet_.nodes()) {
    if (!node.connected()) continue;
    for (const v1::EndpointHealth& endpoint : node.report.endpoints()) {
      HealthView& health = view[{endpoint.cluster(), endpoint.address()}];
      ++health.seen;
      health.healthy += endpoint.healthy();
      if (!endpoint.healthy()) health.reason = endpoint.reason();
    }
  }
  return view;
}

bool Hub::ForgetNode(const std::string& node_id) {
  {
    const std::lock_guard lock(mutex_);
    if (!fleet_.Forget(node_id)) return false;
    Changed();
  }
  recorder_.Forget(node_id);  // Without the lock: it may wait for the disk.
  return true;
}

bool Hub::ExpelNode(const std::string& node_id, const absl::Status& reason) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = fleet_.nodes().find(node_id);
    if (found == fleet_.nodes().end()) return false;
    if (const uint64_t stream = found->second.stream; stream != 0) {
      const auto open = streams_.find(stream);
      if (open != streams_.end()) {
        open->second.outbox->Cut(reason);
        streams_.erase(open);
      }
      Notify(found->second, "disconnected", "removed");
      fleet_.OnDisconnect(stream, "removed", base::MonotonicMillis());
    }
    fleet_.Forget(node_id);
    Changed();
  }
  recorder_.Forget(node_id);  // Without the lock: it may wait for the disk.
  return true;
}

absl::Status Hub::SetCordoned(const std::string& node_id, bool cordoned) {
  const std::lock_guard settings(settings_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (!fleet_.nodes().contains(node_id)) return NoNode(node_id);
  }
  RETURN_IF_ERROR(store_.SetCordoned(node_id, cordoned, base::UnixMillis()));
  {
    const std::lock_guard lock(mutex_);
    if (fleet_.SetCordoned(node_id, cordoned, base::MonotonicMillis())) {
      Changed();
      return absl::OkStatus();
    }
  }
  return ForgetSettings(node_id);
}

absl::Status Hub::ChangeNodeLabels(const std::string& node_id, std::string_view words) {
  const std::lock_guard settings(settings_mutex_);
  store::NodeLabels labels;
  {
    const std::lock_guard lock(mutex_);
    const auto node = fleet_.nodes().find(node_id);
    if (node == fleet_.nodes().end()) return NoNode(node_id);
    labels = node->second.labels_set;
  }
  RETURN_IF_ERROR(ChangeLabels(words, &labels));
  RETURN_IF_ERROR(store_.SetNodeLabels(node_id, labels));
  {
    const std::lock_guard lock(mutex_);
    if (fleet_.SetLabels(node_id, std::move(labels), base::MonotonicMillis())) {
      Changed();
      return absl::OkStatus();
    }
  }
  return ForgetSettings(node_id);
}

// It was removed while something was stored of it, which must not outlive it.
absl::Status Hub::ForgetSettings(const std::string& node_id) {
  RETURN_IF_ERROR(store_.ForgetNode(node_id));
  return NoNode(node_id);
}

absl::StatusOr<std::string> Hub::Command(const std::string& node_id, v1::Command command,
                                         std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto node = fleet_.nodes().find(node_id);
  if (node == fleet_.nodes().end()) return NoNode(node_id);
  const uint64_t stream = node->second.stream;
  const auto found = streams_.find(stream);
  if (found == streams_.end()) {
    return absl::UnavailableError(fmt::format("node {} is not connected", node_id));
  }
  const uint64_t id = next_command_++;
  command.set_id(id);
  const auto pending = std::make_shared<Pending>();
  commands_.emplace(id, pending);
  v1::ControllerMessage message;
  *message.mutable_command() = std::move(command);
  found->second.outbox->Send(Encode(message));
  answered_.wait_for(lock, timeout,
                     [&] { return pending->done || stopping_ || !streams_.contains(stream); });
  commands_.erase(id);
  if (!pending->done && !streams_.contains(stream)) {
    return absl::UnavailableError(fmt::format("node {} disconnected before it answered", node_id));
  }
  if (!pending->done) {
    return absl::DeadlineExceededError(
        fmt::format("node {} did not answer within {} ms", node_id, timeout.count()));
  }
  if (!pending->result.ok()) return absl::FailedPreconditionError(pending->result.error());
  return pending->result.json();
}

HubCounters Hub::counters() const {
  const std::lock_guard lock(mutex_);
  HubCounters counters = counters_;
  counters.streams_open = streams_.size();
  counters.deltas_encoded_total = fleet_.deltas_encoded();
  return counters;
}

void Hub::NoteChange() {
  const std::lock_guard lock(mutex_);
  Changed();
}

uint64_t Hub::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

uint64_t Hub::Wait(uint64_t seen, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return generation_ != seen || stopping_; });
  return generation_;
}

}  // namespace sluice::publish
