// One worker's listening sockets of an address, and the connections that came through them. One is
// usual; a process that took over from one with more workers has the surplus too.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/file.h"
#include "dataplane/downstream/service_binding.h"
#include "dataplane/io/reactor.h"
#include "dataplane/listener/seats.h"

namespace sluice::listener {

// The worker a listener belongs to, and its way to the others.
struct Place {
  size_t worker;
  // Gives an accepted connection to another worker's listener of the address; its seat is taken
  // already.
  std::function<void(size_t worker, base::UniqueFd connection, const sockaddr_storage& peer)>
      hand_over;
};

class Listener final : public io::EventTarget {
 public:
  Listener(runtime::WorkerContext& context, exchange::MemoryPool& memories,
           std::shared_ptr<Seats> seats, Place place);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The service it serves from now on: requests that are under way keep their snapshot.
  void Update(runtime::WorkerRuntime& runtime, uint32_t service_index);
  // Takes over a bound socket, besides those it has, and begins to accept. False (errno set) if the
  // kernel refuses.
  bool Open(base::UniqueFd socket);
  // Serves a connection that another worker accepted, on a seat that was taken for it.
  void TakeOver(base::UniqueFd connection, const sockaddr_storage& peer);
  // Accepts what waits in the queues, then lets nobody in any more.
  void CloseSockets();
  const std::vector<base::UniqueFd>& sockets() const { return sockets_; }
  // CloseSockets; connections end after the exchange they are in, idle ones soon.
  void BeginClosing();
  void WindDownConnections();
  void KillConnections();
  // Close idle ones, and tell how many it were: an eighth of them, at most 64, the oldest; or all
  // that were accepted this long ago, so that who has just come can ask and hear why not.
  size_t GiveUpOldestIdle();
  size_t GiveUpIdle(io::Millis age);

  bool empty() const { return binding_.connections == nullptr; }
  bool closing() const { return binding_.closing; }
  const Seats* seats() const { return seats_.get(); }
  const downstream::ServiceBinding& binding() const { return binding_; }

  void OnEvents(uint32_t events) override;

 private:
  static constexpr int kBacklog = 8192;           // The system's somaxconn may hold less.
  static constexpr int kAcceptsPerEventMax = 64;  // Then connections that wait get their turn.
  static constexpr int kFullEvents = 8;           // In a row, then there may be more to accept.

  // False when the queue is empty.
  bool AcceptOne(int socket, bool may_hand_over);
  std::vector<downstream::ClientConnection*> Idle() const;  // The newest first.
  // Whether the process has what it takes for the connection, if need be by giving up idle ones.
  bool HasRoomFor(int fd);
  void Refuse(base::UniqueFd connection);
  void RefuseNext(int socket);
  void MoveGauge(int sign);

  const std::shared_ptr<Seats> seats_;
  const Place place_;
  downstream::ServiceBinding binding_;
  std::vector<base::UniqueFd> sockets_;
  base::UniqueFd spare_;  // Given up for a moment when descriptors run out.
  int accepts_per_event_ = 1;
  int full_events_ = 0;                   // In a row that brought as many as were asked for.
  int64_t nobody_idle_until_micros_ = 0;  // Looking for idle connections is not worth it before.
};

}  // namespace sluice::listener
