#include "dataplane/upstream/admission.h"

#include <algorithm>

namespace sluice::upstream {

Admission::Admission(const AdmissionLimits& limits, size_t endpoints)
    : limits_(limits), endpoint_active_(endpoints) {}

bool Admission::TryTake(std::atomic<uint32_t>& count, uint32_t limit) {
  if (limit == 0) return true;
  // Sequential consistency here and in Leave: who sees no room is seen waiting by whoever makes
  // some.
  if (count.fetch_add(1) < limit) return true;
  count.fetch_sub(1);
  return false;
}

Admission::Room Admission::Enter(size_t endpoint, bool waited) {
  if (!waited && waiting_.load() > 0) return Room::kClusterFull;
  if (!TryTake(active_, limits_.requests)) return Room::kClusterFull;
  if (TryTake(endpoint_active_[endpoint], limits_.endpoint_requests)) return Room::kTaken;
  if (limits_.requests != 0) active_.fetch_sub(1);
  return Room::kEndpointFull;
}

void Admission::Leave(size_t endpoint) {
  if (limits_.endpoint_requests != 0) endpoint_active_[endpoint].fetch_sub(1);
  if (limits_.requests != 0) active_.fetch_sub(1);
  if (waiting_.load() > 0) CallNext();
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
  next->reactor.Post([next, self = shared_from_this()] {
    if (next->gone) {
      self->CallNext();
    } else {
      next->turn.Fire();
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
}

}  // namespace sluice::upstream
