#include "dataplane/io/wait.h"

#include "dataplane/io/peer_state.h"
#include "dataplane/io/socket.h"
#include "dataplane/io/timer_wheel.h"

namespace sluice::io {

bool Wait::await_ready() {
  if (readable_ != nullptr && readable_->readable()) return wake_ = Wake::kReady, true;
  if (writable_ != nullptr && writable_->writable()) return wake_ = Wake::kReady, true;
  if (closing_ != nullptr) {
    if (closing_->gone()) return wake_ = Wake::kHangup, true;
    if (wants_half_close_ && closing_->closed()) return wake_ = Wake::kPeerClosed, true;
  }
  if (timer_ != nullptr && timer_->expired_) return wake_ = Wake::kTimeout, true;
  if (signal_ != nullptr && signal_->fired_) {
    signal_->fired_ = false;
    return wake_ = Wake::kSignal, true;
  }
  return false;
}

void Wait::await_suspend(std::coroutine_handle<> caller) {
  caller_ = caller;
  attached_ = true;
  if (readable_ != nullptr) readable_->read_wait_ = this;
  if (writable_ != nullptr) writable_->write_wait_ = this;
  if (closing_ != nullptr) closing_->wait_ = this;
  if (timer_ != nullptr) timer_->wait_ = this;
  if (signal_ != nullptr) signal_->waiting_ = this;
}

void Wait::Fire(Wake wake) {
  Detach();
  wake_ = wake;
  caller_.resume();
}

void Wait::Detach() {
  if (!attached_) return;
  attached_ = false;
  if (readable_ != nullptr) readable_->read_wait_ = nullptr;
  if (writable_ != nullptr) writable_->write_wait_ = nullptr;
  if (closing_ != nullptr) closing_->wait_ = nullptr;
  if (timer_ != nullptr) timer_->wait_ = nullptr;
  if (signal_ != nullptr) signal_->waiting_ = nullptr;
}

}  // namespace sluice::io
