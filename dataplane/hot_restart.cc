#include "dataplane/hot_restart.h"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace sluice {

absl::Status HotRestartHost::Refusal() const {
  if (!parts_.server.serving() || !parts_.activator.settled()) {
    return absl::FailedPreconditionError(
        "the running proxy is just putting a snapshot into service, or has none: try again, or "
        "stop it and start the new one without --hot-restart");
  }
  if (parts_.server.draining()) {
    return absl::FailedPreconditionError(
        "the running proxy is draining: undrain it first (sluicectl node undrain), or wait for its "
        "end");
  }
  return absl::OkStatus();
}

absl::StatusOr<restart::Handover> HotRestartHost::BeginHandover() {
  RETURN_IF_ERROR(Refusal());
  restart::Handover handover;
  handover.node_id = parts_.node_id;
  handover.version = parts_.activator.active_version();
  handover.state_lock = base::UniqueFd(fcntl(parts_.cache->lock_handle(), F_DUPFD_CLOEXEC, 0));
  bool whole = handover.state_lock.valid();
  const auto add = [&](v1::HandoverSocket::Kind kind, std::string address, base::UniqueFd fd) {
    whole = whole && fd.valid();
    handover.sockets.push_back({kind, std::move(address), std::move(fd)});
  };
  for (worker::BoundSocket& bound : parts_.server.CopySockets()) {
    add(v1::HandoverSocket::KIND_TRAFFIC, std::move(bound.address), std::move(bound.socket));
  }
  for (auto& [address, fd] : parts_.admin.CopySockets()) {
    add(v1::HandoverSocket::KIND_ADMIN, address, std::move(fd));
  }
  for (base::UniqueFd& channel : parts_.predecessors.CopyChannels()) {
    add(v1::HandoverSocket::KIND_DRAINING, "", std::move(channel));
  }
  if (!whole) {
    return absl::ResourceExhaustedError(
        "the running proxy has no descriptors left to hand its sockets over: raise its limit "
        "(LimitNOFILE, ulimit -n) or try again with fewer connections");
  }
  handover.healths = Healths();
  parts_.activator.WaitUntilStored();
  if (parts_.client != nullptr) parts_.client->SetPaused(true);
  return handover;
}

absl::Status HotRestartHost::CheckHandover(const std::string& root) {
  RETURN_IF_ERROR(Refusal());
  if (root == parts_.activator.active_version().root()) return absl::OkStatus();
  return absl::FailedPreconditionError("the two processes serve different versions: try again");
}

void HotRestartHost::AbortHandover() {
  if (parts_.client != nullptr) parts_.client->SetPaused(false);
}

std::vector<v1::HandoverHealth> HotRestartHost::Healths() { return parts_.server.health().Save(); }

// The client stays paused: what the controller still says is meant for the successor.
void HotRestartHost::CompleteHandover(restart::HandoverChannel channel) {
  parts_.predecessors.StopFollowing();
  teller_ = std::make_unique<restart::DrainTeller>(
      parts_.context, std::move(channel), [&server = parts_.server] { return server.Figures(); });
  if (parts_.client != nullptr) parts_.client->YieldToSuccessor();
  parts_.activator.Discard();
  parts_.activator.ReleaseCache();
  parts_.cache.reset();
  parts_.admin.Close();
  parts_.on_handed();
}

void HotRestartHost::TellLast() {
  if (teller_ != nullptr) teller_->Tell();
}

void AdoptHandover(restart::Handover& handover, Server* server, admin::AdminServer* admin) {
  worker::WorkerSet::SocketsByAddress traffic;
  std::map<std::string, base::UniqueFd> admin_sockets;
  for (restart::HandedSocket& socket : handover.sockets) {
    if (socket.kind == v1::HandoverSocket::KIND_TRAFFIC) {
      traffic[socket.address].push_back(std::move(socket.fd));
    } else if (socket.kind == v1::HandoverSocket::KIND_ADMIN) {
      admin_sockets[socket.address] = std::move(socket.fd);
    }
  }
  std::erase_if(handover.sockets, [](const restart::HandedSocket& socket) {
    return socket.kind != v1::HandoverSocket::KIND_DRAINING;
  });
  server->AdoptHealths(std::exchange(handover.healths, {}));
  server->AdoptSockets(std::move(traffic));
  admin->AdoptSockets(std::move(admin_sockets));
}

void FollowPredecessors(restart::Successor& successor, Server* server,
                        restart::DrainingPredecessors* predecessors) {
  server->AdoptHealths(std::exchange(successor.handover().healths, {}));
  for (restart::HandedSocket& draining : successor.handover().sockets) {
    predecessors->Follow(restart::HandoverChannel(std::move(draining.fd)));
  }
  successor.handover().sockets.clear();
  predecessors->Follow(successor.TakeChannel());
}

}  // namespace sluice
