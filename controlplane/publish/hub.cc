#include "controlplane/publish/hub.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"

namespace sluice::publish {
namespace {

constexpr std::chrono::milliseconds kTick{50};

}  // namespace

Hub::Hub(FleetOptions options, store::VersionStore& store)
    : store_(store),
      fleet_(
          options,
          [this](const std::string& root) -> SharedResources {
            const auto revision = store_.RevisionOfRoot(root);
            if (!revision.ok()) return nullptr;
            auto resources = store_.Resources(*revision);
            if (!resources.ok()) return nullptr;
            return std::make_shared<const snapshot::Resources>(*std::move(resources));
          },
          [this](uint64_t stream, SharedMessage message) {
            const auto found = outboxes_.find(stream);
            if (found == outboxes_.end()) return;
            if (message->has_chunk()) counters_.snapshot_bytes_total += message->chunk().data().size();
            found->second->Send(std::move(message));
          }) {
  if (const auto nodes = store_.Nodes(); nodes.ok()) {
    for (const store::KnownNode& node : *nodes) {
      v1::Hello hello;
      hello.ParseFromString(node.hello);
      fleet_.Remember(node.node_id, hello, node.last_seen_unix_ms);
    }
  }
  ticker_ = std::thread([this] { Ticking(); });
}

Hub::~Hub() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    Changed();
  }
  ticker_.join();
}

void Hub::Ticking() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const RolloutPhase before = fleet_.phase();
    const bool settled = fleet_.settled();
    fleet_.Tick(base::MonotonicMillis());
    if (fleet_.phase() != before || fleet_.settled() != settled) Changed();
    changed_.wait_for(lock, kTick, [this] { return stopping_; });
  }
}

void Hub::Changed() {
  ++generation_;
  changed_.notify_all();
}

uint64_t Hub::Open(std::shared_ptr<Outbox> outbox) {
  const std::lock_guard lock(mutex_);
  const uint64_t stream = next_stream_++;
  outboxes_.emplace(stream, std::move(outbox));
  ++counters_.streams_total;
  return stream;
}

void Hub::OnMessage(uint64_t stream, const v1::ProxyMessage& message, const std::string& peer) {
  if (message.has_hello()) {
    const absl::Status status = store_.SeeNode(message.hello().node_id(),
                                               message.hello().SerializeAsString(), base::UnixMillis());
    if (!status.ok()) base::LogError("{}", std::string(status.message()));
  }
  const std::lock_guard lock(mutex_);
  const int64_t now = base::MonotonicMillis();
  if (message.has_hello()) {
    base::LogInfo("node {} connected from {}, version {}", message.hello().node_id(), peer,
                  message.hello().current().revision());
    const uint64_t replaced = fleet_.OnHello(stream, message.hello(), peer, now, base::UnixMillis());
    if (const auto found = outboxes_.find(replaced); found != outboxes_.end()) {
      found->second->Close(fmt::format("another process connected as node {}", message.hello().node_id()));
      outboxes_.erase(found);
    }
  } else if (message.has_command_result()) {
    const auto found = commands_.find(message.command_result().id());
    if (found != commands_.end()) {
      found->second->done = true;
      found->second->result = message.command_result();
    }
  } else {
    if (message.has_rejected()) {
      ++counters_.rejections_total;
      const Node* node = fleet_.FindStream(stream);
      for (const v1::ResourceError& error : message.rejected().errors()) {
        base::LogWarn("node {} refused {} {}: {}", node != nullptr ? node->id : "?",
                      error.resource().name(), error.field(), error.message());
      }
    }
    if (message.has_resync()) ++counters_.resyncs_total;
    fleet_.OnMessage(stream, message, now, base::UnixMillis());
  }
  Changed();
}

void Hub::OnClosed(uint64_t stream, const std::string& note) {
  const std::lock_guard lock(mutex_);
  outboxes_.erase(stream);
  if (const Node* node = fleet_.FindStream(stream); node != nullptr) {
    base::LogInfo("node {} disconnected: {}", node->id, note);
  }
  fleet_.OnDisconnect(stream, note, base::MonotonicMillis());
  Changed();
}

void Hub::Shutdown(uint32_t retry_after_ms) {
  const std::lock_guard lock(mutex_);
  auto message = std::make_shared<v1::ControllerMessage>();
  message->mutable_backoff()->set_retry_after_ms(retry_after_ms);
  for (auto& [stream, outbox] : outboxes_) {
    outbox->Send(message);
    outbox->Close("the controller is ending");
  }
  outboxes_.clear();
}

void Hub::SetReleased(const v1::Version& version, SharedResources resources) {
  const std::lock_guard lock(mutex_);
  fleet_.SetReleased(version, std::move(resources));
  Changed();
}

void Hub::StartRollout(RolloutRequest request) {
  const std::lock_guard lock(mutex_);
  fleet_.StartRollout(std::move(request), base::MonotonicMillis());
  Changed();
}

Hub::RolloutView Hub::ViewRollout() const {
  const std::lock_guard lock(mutex_);
  return {fleet_.phase(), fleet_.settled(), fleet_.Progress()};
}

v1::FleetStatus Hub::Status(const std::string& node_id) const {
  const std::lock_guard lock(mutex_);
  v1::FleetStatus status;
  *status.mutable_version() = fleet_.released();
  const int64_t now = base::MonotonicMillis();
  for (const auto& [id, node] : fleet_.nodes()) {
    if (!node_id.empty() && id != node_id) continue;
    *status.add_nodes() =
        StatusOf(node, fleet_.released(), now, fleet_.options().report_interval_ms);
  }
  return status;
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
  const std::lock_guard lock(mutex_);
  if (!fleet_.Forget(node_id)) return false;
  Changed();
  return true;
}

absl::StatusOr<std::string> Hub::Command(const std::string& node_id, v1::Command command,
                                         std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto node = fleet_.nodes().find(node_id);
  if (node == fleet_.nodes().end()) {
    return absl::NotFoundError(fmt::format("there is no node {}; `sluicectl get nodes` lists them", node_id));
  }
  const auto outbox = outboxes_.find(node->second.stream);
  if (outbox == outboxes_.end()) {
    return absl::UnavailableError(fmt::format("node {} is not connected", node_id));
  }
  const uint64_t id = next_command_++;
  command.set_id(id);
  auto pending = std::make_shared<Pending>();
  commands_.emplace(id, pending);
  auto message = std::make_shared<v1::ControllerMessage>();
  *message->mutable_command() = std::move(command);
  outbox->second->Send(std::move(message));
  const bool answered =
      changed_.wait_for(lock, timeout, [&] { return pending->done || stopping_; }) && pending->done;
  commands_.erase(id);
  if (!answered) {
    return absl::DeadlineExceededError(
        fmt::format("node {} did not answer within {} ms", node_id, timeout.count()));
  }
  if (!pending->result.ok()) return absl::FailedPreconditionError(pending->result.error());
  return pending->result.json();
}

HubCounters Hub::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
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
