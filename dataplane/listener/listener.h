// One worker's listening sockets of an address, and the connections that came through them. One is
// usual; a process that took over from one with more workers has the surplus too.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "common/base/file.h"
#include "dataplane/downstream/service_binding.h"
#include "dataplane/io/reactor.h"

namespace sluice::listener {

// Of an address, in the whole process.
struct SharedState {
  std::atomic<uint32_t> open_connections{0};
};

class Listener final : public io::EventTarget {
 public:
  Listener(runtime::WorkerContext& context, exchange::MemoryPool& memories,
           std::shared_ptr<SharedState> shared);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The service it serves from now on: requests that are under way keep their snapshot.
  void Update(runtime::WorkerRuntime& runtime, uint32_t service_index);
  // Takes over a bound socket, besides those it has, and begins to accept. False (errno set) if the
  // kernel refuses.
  bool Open(base::UniqueFd socket);
  // Accepts what waits in the queues, then lets nobody in any more.
  void CloseSockets();
  const std::vector<base::UniqueFd>& sockets() const { return sockets_; }
  // CloseSockets; connections end after the exchange they are in, idle ones soon.
  void BeginClosing();
  void WindDownConnections();
  void KillConnections();

  bool empty() const { return binding_.connections == nullptr; }
  bool closing() const { return binding_.closing; }
  const downstream::ServiceBinding& binding() const { return binding_; }

  void OnEvents(uint32_t events) override;

 private:
  static constexpr int kBacklog = 8192;        // The system's somaxconn may hold less.
  static constexpr int kAcceptsPerEvent = 64;  // Then connections that wait get their turn.

  // False when the queue is empty.
  bool AcceptOne(int socket);
  void RefuseOne(int socket);
  void MoveGauge(int sign);

  std::shared_ptr<SharedState> shared_;
  downstream::ServiceBinding binding_;
  std::vector<base::UniqueFd> sockets_;
  base::UniqueFd spare_;  // Given up for a moment when descriptors run out.
};

}  // namespace sluice::listener
