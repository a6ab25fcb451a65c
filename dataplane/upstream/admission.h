// How many requests a cluster is given at a time, by all workers together, and who waits for room.
//
// Thread-safe. On the request path only where there is a limit, then an atomic each way; a lock
// only where there is no room.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "dataplane/io/reactor.h"
#include "dataplane/io/wait.h"

namespace sluice::upstream {

struct AdmissionLimits {
  uint32_t requests = 0;           // Of the cluster; 0: no limit.
  uint32_t endpoint_requests = 0;  // Of each endpoint; 0: no limit.
  uint32_t pending = 0;            // Requests that wait for room; what comes then is refused.
  io::Millis pending_timeout{0};   // How long they do; 0: no limit.
};

class Admission : public std::enable_shared_from_this<Admission> {
 public:
  Admission(const AdmissionLimits& limits, size_t endpoints);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  const AdmissionLimits& limits() const { return limits_; }

  enum class Room : uint8_t {
    kTaken,         // Leave gives it back.
    kEndpointFull,  // Another endpoint may have some.
    kClusterFull,
  };
  // `waited`: its turn in the queue has come, so that others who wait do not go first.
  Room Enter(size_t endpoint, bool waited);
  void Leave(size_t endpoint);

  // A place in the queue, and a worker's thing: it is made, asked and destroyed on its thread.
  class Place {
   public:
    Place(Admission& admission, io::Reactor& reactor);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // False: the queue was full.
    bool valid() const { return caller_ != nullptr; }
    // Nobody was there before: room may have been made just then, and nobody been called.
    bool first() const { return first_; }
    // Fires when there may be room. Whoever finds none calls Again, and is the next then.
    io::Signal& turn() { return caller_->turn; }
    void Again();

   private:
    friend class Admission;
    struct Caller {
      explicit Caller(io::Reactor& reactor_in) : reactor(reactor_in) {}
      io::Reactor& reactor;
      io::Signal turn;
      bool called = false;  // On its way; under the mutex.
      bool gone = false;    // Nobody waits any more; the worker's.
    };

    Admission& admission_;
    std::shared_ptr<Caller> caller_;
    bool first_ = false;
  };

 private:
  bool TryTake(std::atomic<uint32_t>& count, uint32_t limit);
  void CallNext();

  const AdmissionLimits limits_;
  std::atomic<uint32_t> active_{0};
  std::vector<std::atomic<uint32_t>> endpoint_active_;
  std::atomic<size_t> waiting_{0};  // Size of queue_, to be read without the lock.

  std::mutex mutex_;
  std::deque<std::shared_ptr<Place::Caller>> queue_;  // Guarded by mutex_.
};

}  // namespace sluice::upstream
