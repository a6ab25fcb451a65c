// Takes one webhook's events to their receiver, one after the other, on a thread of its own.
//
// Thread-safe. Whoever hands an event in never waits: kQueueMax wait at most, then the oldest is
// dropped. An event that does not arrive is tried again with a growing, jittered pause, then given
// up. When this object goes, what waits is tried once more each, within kFarewell.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "controlplane/notify/event.h"
#include "controlplane/notify/http_post.h"
#include "controlplane/notify/webhooks.h"

namespace sluice::notify {

struct CourierCounters {
  uint64_t delivered = 0, failed = 0, dropped = 0, retries = 0;
  uint64_t queued = 0;  // Now, with the one under way.
};

struct CourierOptions {
  size_t queue_max = 256;
  std::chrono::milliseconds pause_min{500};
  std::chrono::milliseconds pause_max{30'000};
  std::chrono::milliseconds farewell{2'000};
};

class Courier {
 public:
  using Send = std::function<PostResult(const PostRequest& request)>;

  // `send` null: by HTTP. Called on the courier's thread alone.
  explicit Courier(Webhook webhook, CourierOptions options = {}, Send send = nullptr);
  ~Courier();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  // Events that the webhook does not want are left out.
  void Add(const Event& event);
  // The farewell begins. For who lets several of them go, so that it is one farewell for all.
  void BeginFarewell();
  const std::string& name() const { return webhook_.name; }
  CourierCounters counters() const;

 private:
  void Run();
  void Deliver(const Event& event);
  PostRequest RequestOf(const std::string& kind, const std::string& id,
                        const std::string& body) const;
  // False: this object is going.
  bool Pause(std::chrono::milliseconds pause);

  const Webhook webhook_;
  const CourierOptions options_;
  std::atomic<bool> give_up_{false};
  Send send_;  // The thread's own.

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> queue_;  // The rest is guarded by mutex_.
  CourierCounters counters_;
  bool busy_ = false;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point farewell_end_;  // Once stopping_.
  bool complained_ = false;                             // Of a row of failures the first is logged.
  std::thread thread_;                                  // Last: it uses all of the above.
};

}  // namespace sluice::notify
