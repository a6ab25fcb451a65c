// The fleet behind one lock, with a clock that ticks and a way to wait for changes.
//
// Thread-safe. Streams hand in what they read; what a node is sent goes to its Outbox, which must not call
// back into the hub while it is called.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "controlplane/publish/fleet.h"
#include "controlplane/store/version_store.h"

namespace sluice::publish {

// One stream's way out.
class Outbox {
 public:
  virtual ~Outbox() = default;
  // Queues; an Offer makes earlier offers that have not left yet disappear.
  virtual void Send(SharedMessage message) = 0;
  virtual void Close(const std::string& reason) = 0;
};

struct HubCounters {
  uint64_t streams_total = 0, rejections_total = 0, resyncs_total = 0, snapshot_bytes_total = 0;
};

class Hub {
 public:
  Hub(FleetOptions options, store::VersionStore& store);
  ~Hub();

  // --- Streams.
  uint64_t Open(std::shared_ptr<Outbox> outbox);
  void OnMessage(uint64_t stream, const v1::ProxyMessage& message, const std::string& peer);
  void OnClosed(uint64_t stream, const std::string& note);
  // Tells every node to come back later and ends the streams.
  void Shutdown(uint32_t retry_after_ms);

  // --- Versions.
  void SetReleased(const v1::Version& version, SharedResources resources);
  struct RolloutView {
    RolloutPhase phase;
    bool settled;
    std::vector<v1::NodeProgress> nodes;
  };
  // Begins; then look with ViewRollout after each Wait.
  void StartRollout(RolloutRequest request);
  RolloutView ViewRollout() const;

  // --- For people.
  v1::FleetStatus Status(const std::string& node_id) const;
  // Health of endpoints as each connected node last said: (cluster, address) to (healthy, seen).
  struct HealthView {
    int healthy = 0, seen = 0;
    std::string reason;
  };
  std::map<std::pair<std::string, std::string>, HealthView> EndpointHealth() const;
  bool ForgetNode(const std::string& node_id);
  // Asks a node and waits for its answer.
  absl::StatusOr<std::string> Command(const std::string& node_id, v1::Command command,
                                      std::chrono::milliseconds timeout);
  HubCounters counters() const;

  // Grows with every change; Wait returns the present one when it differs from `seen` or time is up.
  uint64_t generation() const;
  uint64_t Wait(uint64_t seen, std::chrono::milliseconds timeout) const;

 private:
  struct Pending {
    bool done = false;
    v1::CommandResult result;
  };

  void Ticking();
  void Changed();

  store::VersionStore& store_;
  mutable std::mutex mutex_;  // Guards everything below.
  mutable std::condition_variable changed_;
  std::unordered_map<uint64_t, std::shared_ptr<Outbox>> outboxes_;
  Fleet fleet_;
  std::unordered_map<uint64_t, std::shared_ptr<Pending>> commands_;
  HubCounters counters_;
  uint64_t next_stream_ = 1, next_command_ = 1;
  uint64_t generation_ = 1;
  bool stopping_ = false;
  std::thread ticker_;
};

}  // namespace sluice::publish
