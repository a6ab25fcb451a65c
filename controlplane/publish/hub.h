// The fleet behind one lock, with a clock that ticks and a way to wait for changes.
//
// Thread-safe. Streams hand in what they read; what a node is sent goes to its Outbox, which must
// not call back into the hub while it is called.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/publish/fleet.h"
#include "controlplane/publish/node_recorder.h"
#include "controlplane/store/version_store.h"

namespace sluice::publish {

// One stream's way out. Bounded: one that does not drain ends itself, and OnClosed follows.
class Outbox {
 public:
  virtual ~Outbox() = default;
  // Queues; an Offer makes earlier offers that have not left yet disappear.
  virtual void Send(SharedMessage message) = 0;
  // What is queued still leaves.
  virtual void Close(const absl::Status& reason) = 0;
  // What is queued does not leave: the peer is trusted no more.
  virtual void Cut(const absl::Status& reason) { Close(reason); }
};

// How long versions took from the first offer until every node was effective, refused or late.
struct RolloutTimes {
  static constexpr std::array<double, 10> kBoundsSeconds = {0.01, 0.03, 0.05, 0.1, 0.3,
                                                            1,    3,    10,   30,  100};
  std::array<uint64_t, kBoundsSeconds.size() + 1> counts{};  // Not cumulative; last: beyond.
  double sum_seconds = 0;
};

struct HubCounters {
  uint64_t streams_total = 0, streams_open = 0, rejections_total = 0, resyncs_total = 0;
  uint64_t snapshot_bytes_total = 0, deltas_encoded_total = 0;
  RolloutTimes rollouts;
};

class Hub {
 public:
  // A stream that has not said Hello by then is closed.
  static constexpr int64_t kHelloTimeoutMs = 10'000;

  // Both must outlive it. `notifier` may be null.
  Hub(FleetOptions options, store::VersionStore& store, const notify::Notifier* notifier = nullptr);
  ~Hub();

  // --- Streams.
  // 0: the hub is shutting down and the outbox has been told.
  uint64_t Open(std::shared_ptr<Outbox> outbox);
  void OnMessage(uint64_t stream, const v1::ProxyMessage& message, const std::string& peer);
  void OnClosed(uint64_t stream, const std::string& note);
  // Gives up a rollout that has not been released, tells every node to come back later and ends the
  // streams. No stream is taken afterwards.
  void Shutdown(uint32_t retry_after_ms);
  bool serving() const;

  // --- Versions.
  void SetReleased(const v1::Version& version, SharedResources resources);
  struct RolloutView {
    RolloutPhase phase = RolloutPhase::kNone;
    bool settled = false;
    std::vector<v1::NodeProgress> nodes;
  };
  // Begins; then look with ViewRollout after each Wait. In kPrepared it waits for Release or
  // Abandon.
  void StartRollout(RolloutRequest request);
  RolloutView ViewRollout() const;
  // False when time is up before the preparing, or everything, is over.
  bool WaitPrepared(std::chrono::milliseconds timeout) const;
  bool WaitSettled(std::chrono::milliseconds timeout) const;
  // False: it is not prepared any more (the hub is shutting down).
  bool Release();
  void Abandon();

  // --- Preflight; see Fleet. 0: none of them can, or the version is not prepared any more.
  size_t BeginPreflight(const Fleet::Audience& among, uint32_t sample_percent);
  v1::PreflightSummary PreflightFindings() const;

  // --- Waves; see Fleet.
  // False: it is not prepared any more.
  bool ReleaseTo(Fleet::Audience audience);
  void SetCandidate(const v1::Version& version, SharedResources resources,
                    Fleet::Audience audience);
  void Widen(Fleet::Audience audience);
  void PromoteCandidate();
  void WithdrawCandidate();
  std::vector<NodeView> View(const std::string& root, const std::string& order_by) const;

  // --- For people.
  v1::FleetStatus Status(const std::string& node_id) const;
  // How many nodes are in each state; cheaper than a Status.
  using StateCounts = std::array<int, v1::NodeStatus::State_ARRAYSIZE>;
  StateCounts CountStates() const;
  // Of the nodes whose last rejection has errors: the root that they speak of.
  std::map<std::string, std::string> RejectedRoots() const;
  // Health of endpoints as each connected node last said: (cluster, address) to (healthy, seen).
  struct HealthView {
    int healthy = 0, seen = 0;
    std::string reason;
  };
  std::map<std::pair<std::string, std::string>, HealthView> EndpointHealth() const;
  bool ForgetNode(const std::string& node_id);
  // The same for a node that may be connected: its stream ends at once, with `reason`.
  bool ExpelNode(const std::string& node_id, const absl::Status& reason);
  // What operators say of a node: on disk before it takes effect, so that it outlives both sides.
  // `words` as in ChangeLabels. kNotFound for a node that is not known.
  absl::Status SetCordoned(const std::string& node_id, bool cordoned);
  absl::Status ChangeNodeLabels(const std::string& node_id, std::string_view words);
  // Asks a node and waits for its answer.
  absl::StatusOr<std::string> Command(const std::string& node_id, v1::Command command,
                                      std::chrono::milliseconds timeout);
  HubCounters counters() const;

  // Grows with every change; Wait returns the present one when it differs from `seen` or time is
  // up.
  uint64_t generation() const;
  void NoteChange();  // Of something that belongs to the status but not to the fleet.
  uint64_t Wait(uint64_t seen, std::chrono::milliseconds timeout) const;

 private:
  struct Stream {
    std::shared_ptr<Outbox> outbox;
    int64_t opened_ms = 0;
    bool greeted = false;
  };
  struct SeenState {
    v1::NodeStatus::State state = v1::NodeStatus::UNREACHABLE;
    bool complained = false;  // Somebody was told that it is not well.
  };
  struct Pending {
    bool done = false;
    v1::CommandResult result;
  };

  SharedResources LoadRoot(const std::string& root) const;
  void RecallSettings();
  absl::Status ForgetSettings(const std::string& node_id);
  void SendTo(uint64_t stream, SharedMessage message);
  void Ticking();
  void CloseSilent(int64_t now_ms);
  void NoticeStates(int64_t now_ms);
  void NotifyState(const ProxyNode& node, int64_t now_ms, SeenState* seen) const;
  void Notify(const ProxyNode& node, std::string_view action, std::string message) const;
  void OnHello(uint64_t stream, const v1::Hello& hello, const std::string& peer);
  void OnCommandResult(const v1::CommandResult& result);
  void LogRejection(uint64_t stream, const v1::Rejected& rejected) const;
  void Changed();
  void NoteRolloutEnd();
  void CloseStream(uint64_t stream, const absl::Status& reason);

  store::VersionStore& store_;
  const notify::Notifier* const notifier_;
  NodeRecorder recorder_;
  std::mutex settings_mutex_;  // Orders what is read, stored and set of a node; before mutex_.
  mutable std::mutex mutex_;   // Guards everything below.
  // A thousand nodes say something every two milliseconds: who waits is woken only for what it
  // waits for.
  mutable std::condition_variable changed_;          // generation_.
  mutable std::condition_variable rollout_changed_;  // rollout_seen_.
  std::condition_variable answered_;                 // commands_; or a stream has gone.
  std::condition_variable stopped_;                  // stopping_.
  std::pair<RolloutPhase, bool> rollout_seen_;       // Phase and whether settled, when told last.
  std::unordered_map<uint64_t, Stream> streams_;
  Fleet fleet_;
  std::unordered_map<uint64_t, std::shared_ptr<Pending>> commands_;
  std::unordered_map<std::string, SeenState> states_;  // As last looked at.
  HubCounters counters_;
  int64_t rollout_started_ms_ = 0;  // 0: its end has been noted.
  uint64_t next_stream_ = 1, next_command_ = 1;
  uint64_t generation_ = 1;
  bool serving_ = true;
  bool stopping_ = false;
  std::thread ticker_;
};

}  // namespace sluice::publish
