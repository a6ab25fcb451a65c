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
#include "dataplane/restart/predecessor.h"
#include "dataplane/server.h"

namespace sluice {

class HotRestartHost final : public restart::HandoverHost {
 public:
  struct Parts {
    std::string node_id;
    Server& server;
    admin::AdminServer& admin;
    control::Activator& activator;
    std::optional<control::SnapshotCache>& cache;
    control::ControlClient* client;   // Null without a controller.
    std::function<void()> on_handed;  // Drain and end; the rest is done.
  };
  explicit HotRestartHost(Parts parts) : parts_(std::move(parts)) {}

  absl::StatusOr<restart::Handover> BeginHandover() override;
  absl::Status CheckHandover(const std::string& root) override;
  void AbortHandover() override;
  void CompleteHandover() override;

 private:
  absl::Status Refusal() const;

  Parts parts_;
};

// Gives the sockets to those who will serve them. Before the first snapshot is prepared.
void AdoptHandover(restart::Handover& handover, Server* server, admin::AdminServer* admin);

}  // namespace sluice
