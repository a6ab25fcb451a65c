// Which of several controllers leads: the one whose lease holds the leader's key.
//
// A leader that cannot renew its lease stops before others may take over: its own clock, started
// before it asked, runs out first. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/status/statusor.h"
#include "controlplane/etcd/etcd_client.h"
#include "controlplane/replica/shared_log.h"
#include "sluice/v1/replica.pb.h"

namespace sluice::replica {

struct ElectionOptions {
  etcd::ClientOptions etcd;
  std::string leader_key;
  v1::LeaderInfo self;
  std::chrono::seconds lease{3};  // etcd grants no shorter one than about two.
};

// Who leads now.
struct Leader {
  v1::LeaderInfo info;
  Term term = 0;
  int64_t lease = 0;
};

class Election {
 public:
  explicit Election(ElectionOptions options);
  ~Election();  // Resigns.

  // Nobody: a default-constructed one, with term 0.
  absl::StatusOr<Leader> CurrentLeader();

  // Tries once to take the lead. Nothing: another one has it. From then on the lease is renewed,
  // until Resign; `on_lost` is called once, from a thread of its own, when that fails.
  absl::StatusOr<std::optional<Term>> Campaign(std::function<void()> on_lost);
  // Tells the others that it serves now. Not OK: they do not know, and calls do not come.
  absl::Status AnnounceServing();
  // Others may lead at once. Not from within `on_lost`.
  void Resign();

  // Of a leader that is known to be dead: the others need not wait for its lease to end.
  absl::Status Depose(const Leader& leader) { return client_.RevokeLease(leader.lease); }

 private:
  void KeepAlive(int64_t lease, std::function<void()> on_lost);

  const ElectionOptions options_;
  etcd::EtcdClient client_;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  bool resigning_ = false;
  int64_t lease_ = 0;
  Term term_ = 0;
  std::thread thread_;
};

}  // namespace sluice::replica
