// One of several controllers that share a store in etcd.
//
// It follows: keeps a copy of the store in its data directory and passes calls on to the one who
// leads. When nobody leads it tries to, and if it wins it brings its copy up to date and serves by
// itself, until its lease is lost; then it follows again. Main thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/trust/seal.h"
#include "controlplane/etcd/etcd_client.h"
#include "controlplane/replica/election.h"
#include "controlplane/replica/etcd_journal.h"
#include "controlplane/replica/follower.h"
#include "controlplane/replica/shared_log.h"
#include "controlplane/serve/admin_port.h"
#include "controlplane/serve/events.h"
#include "controlplane/serve/follower_port.h"
#include "controlplane/serve/options.h"

namespace sluice::serve {

class Member {
 public:
  // All must outlive it; `options` have an etcd.
  static absl::StatusOr<std::unique_ptr<Member>> Open(const ControllerOptions& options,
                                                      AdminPort& admin_port, Events& events);

  // Until it is asked to end. Not OK: it cannot go on; the message says what to do.
  absl::Status Run();

 private:
  Member(const ControllerOptions& options, AdminPort& admin_port, Events& events,
         const etcd::ClientOptions& etcd);
  // Nothing: it is to end.
  absl::StatusOr<std::optional<replica::Term>> Follow();
  // One look at etcd. A term: this controller leads, and its copy is up to date.
  absl::StatusOr<std::optional<replica::Term>> Look(FollowerPort& port);
  absl::StatusOr<std::optional<replica::Term>> Campaign();
  absl::Status CheckSealKey();
  absl::Status OpenPort(FollowerPort& port);
  absl::Status Lead(replica::Term term);
  absl::Status BeginStore(replica::EtcdJournal& journal);
  std::string AuthorityHere() const;
  void OnLost();
  // Logs a problem with etcd, once until it is over.
  void NoteTrouble(const absl::Status& status);

  const ControllerOptions& options_;
  AdminPort& admin_port_;
  Events& events_;
  etcd::EtcdClient client_;
  replica::SharedLog log_;
  replica::Election election_;
  std::unique_ptr<replica::Follower> follower_;  // Null while this controller leads.
  std::atomic<bool> lost_{false};                // The lead, since it was won last.
  bool in_trouble_ = false;
  std::chrono::steady_clock::time_point heard_{};  // When etcd answered last.
  std::optional<trust::Sealer> sealer_;            // Of the store that is followed.
};

}  // namespace sluice::serve
