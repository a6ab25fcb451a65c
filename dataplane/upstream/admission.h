// How many requests a cluster is given at a time and how many connections it may have, by all
// workers together, and who waits for room.
//
// Thread-safe. On the request path only where there is a limit, then an atomic each way; a lock
// only where there is no room.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "dataplane/io/reactor.h"
#include "dataplane/io/wait.h"

namespace sluice::upstream {

struct AdmissionLimits {
  uint32_t requests = 0;           // Of the cluster; 0: no limit.
  uint32_t endpoint_requests = 0;  // Of each endpoint; 0: no limit.
  uint32_t connections = 0;        // Open or being opened, unused ones included; 0: no limit.
  uint32_t endpoint_connections = 0;
  uint32_t pending = 0;           // Requests that wait for room; what comes then is refused.
  io::Millis pending_timeout{0};  // How long they do; 0: no limit.

  bool of_connections() const { return connections != 0 || endpoint_connections != 0; }
};

class Admission;

// One of the connections that a cluster may have, or none. Destroying it gives it back.
class ConnectionSlot {
 public:
  ConnectionSlot() = default;
  ConnectionSlot(ConnectionSlot&& other) noexcept = default;
  ConnectionSlot& operator=(ConnectionSlot&& other) noexcept {
    std::swap(admission_, other.admission_);
    std::swap(endpoint_, other.endpoint_);
    return *this;
  }
  ~ConnectionSlot();

  explicit operator bool() const { return admission_ != nullptr; }
  bool is_of(const Admission* admission) const { return admission_.get() == admission; }

 private:
  friend class Admission;
  ConnectionSlot(std::shared_ptr<Admission> admission, size_t endpoint)
      : admission_(std::move(admission)), endpoint_(endpoint) {}

  std::shared_ptr<Admission> admission_;
  size_t endpoint_ = 0;
};

class Admission : public std::enable_shared_from_this<Admission> {
 public:
  Admission(const AdmissionLimits& limits, size_t endpoints);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  const AdmissionLimits& limits() const { return limits_; }

  enum class Room : uint8_t {
    kTaken,              // Leave gives it back.
    kEndpointFull,       // Another endpoint may have some.
    kNoConnectionThere,  // The same: it has as many connections as it may.
    kNoConnection,       // The cluster has, if perhaps unused ones.
    kClusterFull,
  };
  // `waited`: its turn in the queue has come, so that others who wait do not go first. `slot`: gets
  // one of the connections; null where none is going to be opened.
  Room Enter(size_t endpoint, bool waited, ConnectionSlot* slot);
  // `passed_on`: its room went to whom CallOn has called; otherwise the next is called.
  void Leave(size_t endpoint, bool passed_on = false);
  // Calls the first in the queue whose worker this is; false if there is none.
  bool CallOn(const io::Reactor& reactor);
  Room TakeConnection(size_t endpoint, ConnectionSlot* slot);

  // Whether somebody is in the queue.
  bool awaited() const { return waiting_.load() > 0; }

  // A worker that may have connections nobody uses. `yield` is called on its thread while others
  // wait for one. Until its destruction, on that thread.
  class Holder {
   public:
    Holder(Admission& admission, io::Reactor& reactor, std::function<void()> yield);
    ~Holder();
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;

   private:
    friend class Admission;
    struct Worker {
      io::Reactor& reactor;
      std::function<void()> yield;  // The worker's; empty when the holder has gone.
      bool asked = false;           // On its way; under the mutex.
    };
    Admission& admission_;
    std::shared_ptr<Worker> worker_;
  };

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
  friend class ConnectionSlot;
  void LeaveConnection(size_t endpoint);
  void CallNext();
  void Call(std::shared_ptr<Place::Caller> caller);
  // With the mutex held.
  void AskHolders();

  const AdmissionLimits limits_;
  std::atomic<uint32_t> active_{0}, connections_{0};
  std::vector<std::atomic<uint32_t>> endpoint_active_, endpoint_connections_;
  std::atomic<size_t> waiting_{0};  // Size of queue_, to be read without the lock.

  std::mutex mutex_;
  std::deque<std::shared_ptr<Place::Caller>> queue_;      // Guarded by mutex_.
  std::vector<std::shared_ptr<Holder::Worker>> holders_;  // Guarded by mutex_.
};

}  // namespace sluice::upstream
