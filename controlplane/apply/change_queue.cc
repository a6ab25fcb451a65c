#include "controlplane/apply/change_queue.h"

namespace sluice::apply {

bool ChangeQueue::Enter() {
  std::unique_lock lock(mutex_);
  // One is being made; the others wait.
  if (next_ticket_ - serving_ > waiting_max_) return false;
  const uint64_t ticket = next_ticket_++;
  turned_.wait(lock, [&] { return serving_ == ticket; });
  return true;
}

uint64_t ChangeQueue::waiting() {
  const std::lock_guard lock(mutex_);
  return next_ticket_ == serving_ ? 0 : next_ticket_ - serving_ - 1;
}

void ChangeQueue::Leave() {
  {
    const std::lock_guard lock(mutex_);
    ++serving_;
  }
  turned_.notify_all();
}

}  // namespace sluice::apply
