#include "dataplane/upstream/admission.h"

#include <algorithm>

namespace sluice::upstream {

namespace {

bool TryTake(std::atomic<uint32_t>& count, uint32_t limit) {
  if (limit == 0) return true;
  // Sequential consistency here and in Leave: who sees no room is seen waiting by whoever makes
  // some.
  if (count.fetch_add(1) < limit) return true;
  count.fetch_sub(1);
  return false;
}

void GiveBack(std::atomic<uint32_t>& count, uint32_t limit) {
  if (limit != 0) count.fetch_sub(1);
}

}  // namespace

ConnectionSlot::~ConnectionSlot() {
  if (admission_ != nullptr) admission_->LeaveConnection(endpoint_);
}

Admission::Admission(const AdmissionLimits& limits, size_t endpoints)
    : limits_(limits), endpoint_active_(endpoints), endpoint_connections_(endpoints) {}

Admission::Room Admission::Enter(size_t endpoint, bool waited, ConnectionSlot* slot) {
  if (!waited && awaited()) return Room::kClusterFull;
  if (!TryTake(active_, limits_.requests)) return Room::kClusterFull;
  Room room = Room::kEndpointFull;
  if (TryTake(endpoint_active_[endpoint], limits_.endpoint_requests)) {
    room = slot == nullptr ? Room::kTaken : TakeConnection(endpoint, slot);
    if (room == Room::kTaken) return room;
    GiveBack(endpoint_active_[endpoint], limits_.endpoint_requests);
  }
  GiveBack(active_, limits_.requests);
  return room;
}

Admission::Room Admission::TakeConnection(size_t endpoint, ConnectionSlot* slot) {
  if (!TryTake(connections_, limits_.connections)) return Room::kNoConnection;
  if (!TryTake(endpoint_connections_[endpoint], limits_.endpoint_connections)) {
    GiveBack(connections_, limits_.connections);
    return Room::kNoConnectionThere;
  }
  *slot = ConnectionSlot(shared_from_this(), endpoint);
  return Room::kTaken;
}

void Admission::Leave(size_t endpoint, bool passed_on) {
  GiveBack(endpoint_active_[endpoint], limits_.endpoint_requests);
  GiveBack(active_, limits_.requests);
  if (!passed_on && awaited()) CallNext();
}

void Admission::LeaveConnection(size_t endpoint) {
  GiveBack(endpoint_connections_[endpoint], limits_.endpoint_connections);
  GiveBack(connections_, limits_.connections);
  if (awaited()) CallNext();
}

void Admission::CallNext() {
  std::shared_ptr<Place::Caller> next;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return;
    next = std::move(queue_.front());
    queue_.pop_front();
    waiting_.store(queue_.size());
    next->called = true;
  }
  Call(std::move(next));
}

bool Admission::CallOn(const io::Reactor& reactor) {
  std::shared_ptr<Place::Caller> next;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(queue_.begin(), queue_.end(), [&](const auto& caller) {
      return &caller->reactor == &reactor;
    });
    if (found == queue_.end()) return false;
    next = std::move(*found);
    queue_.erase(found);
    waiting_.store(queue_.size());
    next->called = true;
  }
  Call(std::move(next));
  return true;
}

void Admission::Call(std::shared_ptr<Place::Caller> caller) {
  io::Reactor& reactor = caller->reactor;
  reactor.Post([caller = std::move(caller), self = shared_from_this()] {
    if (caller->gone) {
      self->CallNext();
    } else {
      caller->turn.Fire();
    }
  });
}

Admission::Place::Place(Admission& admission, io::Reactor& reactor) : admission_(admission) {
  const std::lock_guard lock(admission_.mutex_);
  if (admission_.queue_.size() >= admission_.limits_.pending) return;
  first_ = admission_.queue_.empty();
  caller_ = std::make_shared<Caller>(reactor);
  admission_.queue_.push_back(caller_);
  admission_.waiting_.store(admission_.queue_.size());
  admission_.AskHolders();
}

Admission::Place::~Place() {
  if (caller_ == nullptr) return;
  caller_->gone = true;
  const std::lock_guard lock(admission_.mutex_);
  std::erase(admission_.queue_, caller_);
  admission_.waiting_.store(admission_.queue_.size());
}

void Admission::Place::Again() {
  const std::lock_guard lock(admission_.mutex_);
  if (!caller_->called) return;  // Still in line.
  caller_->called = false;
  caller_->turn.Reset();
  admission_.queue_.push_front(caller_);
  admission_.waiting_.store(admission_.queue_.size());
  admission_.AskHolders();
}

void Admission::AskHolders() {
  if (!limits_.of_connections()) return;
  for (const auto& holder : holders_) {
    if (std::exchange(holder->asked, true)) continue;
    holder->reactor.Post([holder, self = shared_from_this()] {
      {
        const std::lock_guard lock(self->mutex_);
        holder->asked = false;
      }
      if (holder->yield) holder->yield();
    });
  }
}

Admission::Holder::Holder(Admission& admission, io::Reactor& reactor, std::function<void()> yield)
    : admission_(admission), worker_(std::make_shared<Worker>(Worker{reactor, std::move(yield)})) {
  const std::lock_guard lock(admission_.mutex_);
  admission_.holders_.push_back(worker_);
}

Admission::Holder::~Holder() {
  worker_->yield = nullptr;
  const std::lock_guard lock(admission_.mutex_);
  std::erase(admission_.holders_, worker_);
}

}  // namespace sluice::upstream
