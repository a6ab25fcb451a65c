// A hot restart as this proxy's parts live it: what is held still, handed over and let go of
// (predecessor), and where what was handed over goes (successor).
//
// Control thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "dataplane/admin/admin_server.h"
#include "dataplane/control/activator.h"
#include "dataplane/control/control_client.h"
#include "dataplane/control/snapshot_cache.h"
#include "dataplane/restart/drain_figures.h"
#include "dataplane/restart/predecessor.h"
#include "dataplane/restart/successor.h"
#include "dataplane/server.h"

namespace sluice {

class HotRestartHost final : public restart::HandoverHost {
 public:
  struct Parts {
    boost::asio::io_context& context;
    std::string node_id;
    Server& server;
    admin::AdminServer& admin;
    control::Activator& activator;
    std::optional<control::SnapshotCache>& cache;
    control::ControlClient* client;  // Null without a controller.
    restart::DrainingPredecessors& predecessors;
    std::function<void()> on_handed;  // Drain and end; the rest is done.
  };
  explicit HotRestartHost(Parts parts) : parts_(std::move(parts)) {}

  absl::StatusOr<restart::Handover> BeginHandover() override;
  absl::Status CheckHandover(const std::string& root) override;
  void AbortHandover() override;
  std::vector<v1::HandoverHealth> Healths() override;
  void CompleteHandover(restart::HandoverChannel channel) override;
  // This process ends: its successor hears the last of it.
  void TellLast();

 private:
  absl::Status Refusal() const;

  Parts parts_;
  std::unique_ptr<restart::DrainTeller> teller_;  // After a handover.
};

// Gives sockets and healths to those who will use them. Before the first snapshot is prepared.
void AdoptHandover(restart::Handover& handover, Server* server, admin::AdminServer* admin);

// The predecessor has let go: its figures, and those of others that drain still, belong to this
// process's from now on; so does what it has ejected since its offer.
void FollowPredecessors(restart::Successor& successor, Server* server,
                        restart::DrainingPredecessors* predecessors);

}  // namespace sluice
