#include "controlplane/apply/change_queue.h"

namespace sluice::apply {

bool ChangeQueue::Enter(bool presses) {
  std::unique_lock lock(mutex_);
  // One is being made; the others wait.
  if (next_ticket_ - serving_ > waiting_max_) return false;
  const uint64_t ticket = next_ticket_++;
  if (serving_ == ticket) return true;
  pressing_ += presses;
  turned_.notify_all();
  turned_.wait(lock, [&] { return serving_ == ticket; });
  pressing_ -= presses;
  return true;
}

bool ChangeQueue::WaitForPressure(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return turned_.wait_for(lock, timeout, [this] { return pressing_ > 0; });
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
