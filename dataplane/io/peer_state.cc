#include "dataplane/io/peer_state.h"

namespace sluice::io {

void PeerState::Tell() {
  if (wait_ == nullptr || !(gone_ || wait_->wants_half_close())) return;
  wait_->Fire(gone_ ? Wake::kHangup : Wake::kPeerClosed);
}

}  // namespace sluice::io
