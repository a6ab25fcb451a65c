// Carries out a rollout in waves: looks at the nodes a few times a second, stores every step before
// it is taken, tells the hub, and whoever listens of waves and pauses.
//
// Thread-safe; a thread of its own. One rollout at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/publish/hub.h"
#include "controlplane/rollout/waves.h"
#include "controlplane/store/version_store.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::apply {

class RolloutRunner {
 public:
  static constexpr std::chrono::milliseconds kPace{200};

  // Called when a rollout is over, after it was stored and the hub told; from any thread that uses
  // this object, with the decisions held. It must not call back.
  using OnEnd = std::function<void(const v1::Rollout& rollout, publish::SharedResources resources)>;

  // All must outlive it. `notifier` may be null.
  RolloutRunner(store::VersionStore& store, publish::Hub& hub, const notify::Notifier* notifier,
                OnEnd on_end);
  ~RolloutRunner();

  // Nothing is decided while it is held: for changes that may take a rollout's place.
  [[nodiscard]] std::unique_lock<std::mutex> Hold() {
    return std::unique_lock<std::mutex>(deciding_);
  }

  // --- With the decisions held.
  // Of a version that is prepared. It has taken the place of any that was under way.
  absl::Status Begin(v1::Rollout record, publish::SharedResources resources);
  // Ends it; everybody goes back to the stable version, unless `keep_nodes`: the caller has told
  // the hub already.
  void Supersede(const std::string& reason, bool keep_nodes);
  // After a start: one that was under way goes on, one that is over is shown.
  void Resume(v1::Rollout record, publish::SharedResources resources);

  // --- Without.
  absl::StatusOr<v1::Rollout> Act(const v1::RolloutActionRequest& request);
  // The one under way, or the last of this life; without baselines. Empty version: none.
  v1::Rollout view() const;
  bool active() const;
  uint64_t taken_back_total() const;
  // Ends the thread; a rollout under way is resumed by the next life.
  void Stop();

 private:
  void Run();
  void Look();
  absl::Status Carry(rollout::Waves::Decision decision);
  absl::Status Store();
  void TakeBack();
  void Finish();
  void Publish();
  void NotifyWave() const;
  void NotifyPause();
  void Notify(std::string_view action, std::string message) const;
  publish::Fleet::Audience AudienceOf() const;
  std::vector<publish::NodeView> Nodes() const;

  store::VersionStore& store_;
  publish::Hub& hub_;
  const notify::Notifier* const notifier_;
  const OnEnd on_end_;
  std::mutex deciding_;  // Guards what follows.
  std::unique_ptr<rollout::Waves> waves_;
  rollout::Waves::Decision owed_;  // Decided, but could not be stored yet.
  publish::SharedResources resources_;
  v1::Rollout::State told_ = v1::Rollout::NONE;  // Its state when a pause was looked for last.

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable stopped_;
  bool stopping_ = false;
  v1::Rollout view_;
  uint64_t taken_back_ = 0;
  std::thread thread_;
};

}  // namespace sluice::apply
