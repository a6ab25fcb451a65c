// A thread and all it owns: event loop, memory, connections, pools, counters.
//
// Constructed, commanded and destroyed by the control thread; everything inside belongs to the
// worker's own thread, which commands reach through the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "dataplane/downstream/client_connection.h"
#include "dataplane/listener/listener.h"
#include "dataplane/preflight/shadow.h"

namespace sluice::worker {

// What a worker needs to begin serving an address.
struct ListenerSocket {
  std::string address;
  std::shared_ptr<listener::Seats> seats;
  std::vector<base::UniqueFd> sockets;  // Empty: the address is already served.
};

struct BoundSocket {
  std::string address;
  base::UniqueFd socket;
};

struct ConnectionInfo {
  std::string service;
  size_t worker;
  downstream::ClientConnection::Info connection;
  bool draining;
};

class Worker {
 public:
  struct Hooks {
    // Called on the worker's thread when it has let go of a snapshot.
    std::function<void(const runtime::RuntimeConfig*)> released;
    uint32_t workers = 1;  // How many there are.
    // The worker of that index; they all live as long as any of them runs.
    std::function<Worker&(size_t)> colleague;
  };

  // What is referred to must outlive it.
  Worker(int index, observe::WorkerStats& stats, observe::AccessLog::Writer& access_log,
         overload::LoadGate& gate, Hooks hooks);
  ~Worker();  // Stop, then join.
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Start();
  // Ends every connection, then the thread.
  void Stop();

  // Serves `config` from now on; it must stay alive until `released`. `sockets`: one entry for each
  // service's address, in the order of config->services. Listeners that are not among them close.
  // `done` runs on the worker's thread.
  void Commit(const runtime::RuntimeConfig* config, std::vector<ListenerSocket> sockets,
              io::Millis drain_timeout, std::function<void()> done);
  void BeginDrain();
  // `sockets` as for Commit, none empty. Also begins to accept after a Commit without sockets.
  void EndDrain(std::vector<ListenerSocket> sockets);
  // Copies of the descriptors that are listened on. `done` runs on the worker's thread.
  void CopySockets(std::function<void(std::vector<BoundSocket>)> done);

  // Serves a connection to `address` that another worker accepted. From any thread.
  void TakeOver(const std::string& address, std::shared_ptr<listener::Seats> seats,
                base::UniqueFd connection, const sockaddr_storage& peer);
  // Closes every idle client connection but the youngest.
  void GiveUpIdle();

  void ListConnections(std::function<void(std::vector<ConnectionInfo>)> done);

  // Requests are routed by `prepared` too, which must outlive it, until EndPreflight is `done`.
  void BeginPreflight(const runtime::RuntimeConfig* prepared, uint32_t sample_percent);
  void EndPreflight(std::function<void()> done);
  void ReadPreflight(std::function<void(const v1::PreflightReport&)> done);

 private:
  static void Retire(void* worker, runtime::WorkerRuntime* runtime);
  static void FreeRetired(void* worker);
  static size_t GiveUpOldestIdle(void* worker);
  static void OnMaintenance(void* worker);

  std::unique_ptr<runtime::WorkerRuntime> MakeRuntime(const runtime::RuntimeConfig* config);
  upstream::ClusterHome HomeOf(const upstream::ClusterSpec& spec);
  void CommitHere(const runtime::RuntimeConfig* config, std::vector<ListenerSocket> sockets,
                  io::Millis drain_timeout);
  void OpenSockets(listener::Listener& listener, ListenerSocket& socket);
  void Maintain();
  std::unique_ptr<listener::Listener> MakeListener(const ListenerSocket& socket);
  // Also among those that close; null if it is gone.
  listener::Listener* FindListener(const std::string& address, const listener::Seats* seats);
  void StopHere();

  const int index_;
  Hooks hooks_;
  io::Reactor reactor_;
  io::BufferPool buffers_;
  exchange::MemoryPool memories_;
  base::Random random_;
  upstream::PoolSet pools_;
  runtime::WorkerContext context_;
  std::unique_ptr<preflight::Shadow> shadow_;
  runtime::WorkerRuntime* current_ = nullptr;
  std::vector<runtime::WorkerRuntime*> retired_;  // Freed by the loop.
  std::unordered_map<std::string, std::unique_ptr<listener::Listener>> listeners_;  // By address.
  struct Closing {
    std::unique_ptr<listener::Listener> listener;
    int64_t deadline_micros;
  };
  std::vector<Closing> closing_;
  io::Timer maintenance_;
  std::thread thread_;
};

}  // namespace sluice::worker
