// All workers, as the control thread sees them: binds, commits, drains, waits.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dataplane/worker/worker.h"

namespace sluice::worker {

struct WorkerSetOptions {
  int workers = 1;
  std::string
      bind_host;  // Replaces 0.0.0.0 and 127.0.0.1 in addresses; empty: nothing is replaced.
  // Runs a function on the control thread, from any thread.
  std::function<void(std::function<void()>)> post_to_control;
};

class WorkerSet {
 public:
  using SocketsByAddress = std::unordered_map<std::string, std::vector<base::UniqueFd>>;

  // What is referred to must outlive it.
  WorkerSet(WorkerSetOptions options, observe::Registry& registry, observe::AccessLog& access_log,
            overload::LoadGate& gate);
  ~WorkerSet();

  // Binds what `config` needs beyond what is served; errors name the listener. Kept until Commit or
  // Discard.
  std::vector<v1::ResourceError> PrepareSockets(const runtime::RuntimeConfig& config);
  void Discard() { prepared_.clear(); }
  // `on_effective` runs on the control thread when every worker serves `config`.
  void Commit(std::shared_ptr<const runtime::RuntimeConfig> config,
              std::function<void()> on_effective);

  // For a hot restart, before the first PrepareSockets: `sockets` are another process's, by bound
  // address. They serve where the first snapshot has the address (with more of them bound when
  // there are more workers than sockets) and are closed where it has not. Until BeginAccepting
  // nothing is accepted or newly listened on, so that a process that fails before takes no client
  // along.
  void AdoptSockets(SocketsByAddress sockets);
  void BeginAccepting();
  // Copies of everything that is listened on; asks every worker and waits for the answers.
  std::vector<BoundSocket> CopySockets();

  // New connections are refused, the present ones end. Undrain binds again; it may fail.
  absl::Status SetDraining(bool draining);
  bool draining() const { return draining_; }

  const runtime::RuntimeConfig* current() const { return current_.get(); }
  // What is listened on, by configured address.
  std::string BoundAddress(const std::string& configured) const;
  uint32_t open_connections() const;
  uint32_t open_connections(const std::string& bound_address) const;
  // Asks every worker and waits for the answers.
  std::vector<ConnectionInfo> ListConnections();
  // Requests are routed by `prepared` too, without effect, until EndPreflight or Stop. EndPreflight
  // and ReadPreflight ask every worker and wait for the answers.
  void BeginPreflight(std::shared_ptr<const runtime::RuntimeConfig> prepared,
                      uint32_t sample_percent);
  void EndPreflight();
  v1::PreflightReport ReadPreflight();
  // Idle client connections close, soon.
  void GiveUpIdle();
  void Stop();
  int size() const { return static_cast<int>(workers_.size()); }

 private:
  void Released(const runtime::RuntimeConfig* config);
  std::vector<ListenerSocket> SocketsFor(size_t worker, const runtime::RuntimeConfig& config,
                                         SocketsByAddress& sockets);
  absl::StatusOr<std::vector<base::UniqueFd>> BindOrAdopt(const std::string& address);

  const WorkerSetOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::shared_ptr<const runtime::RuntimeConfig> current_;
  std::shared_ptr<const runtime::RuntimeConfig> preflight_;  // Null: none runs.
  SocketsByAddress prepared_;
  SocketsByAddress adopted_;  // Until the first commit.
  SocketsByAddress held_;     // Committed, until BeginAccepting.
  bool holding_ = false;
  std::unordered_map<std::string, std::shared_ptr<listener::Seats>> seats_;  // By bound address.
  // Snapshots that some worker still uses.
  struct InUse {
    std::shared_ptr<const runtime::RuntimeConfig> config;
    int workers;
  };
  std::unordered_map<const runtime::RuntimeConfig*, InUse> in_use_;
  bool draining_ = false;
  bool stopped_ = false;
};

}  // namespace sluice::worker
