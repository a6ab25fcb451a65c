// What of a request's body has gone upstream, as long as it may have to go there once more.
//
// On the request path: one copy of a body that did not come with its head. One worker's.
#pragma once

#include <cstring>
#include <string_view>

#include "dataplane/io/buffer.h"

namespace sluice::exchange {

class KeptBody {
 public:
  static constexpr size_t kBytesMax = io::BufferPool::kLargeBytes;

  explicit KeptBody(io::BufferPool& buffers) : bytes_(buffers) {}

  // Before it is sent. A body that grows beyond kBytesMax is lost.
  void Keep(std::string_view piece, bool last) {
    last_ = last;
    begun_ = true;
    if (lost_) return;
    if (bytes_.size() + piece.size() > kBytesMax) return Lose();
    if (piece.empty()) return;
    const size_t wanted = bytes_.size() + piece.size();
    bytes_.Reserve(wanted > io::BufferPool::kSmallBytes ? kBytesMax : wanted);
    std::memcpy(bytes_.tail(piece.size()), piece.data(), piece.size());
    bytes_.Filled(piece.size());
  }
  // It need not be kept any longer.
  void Lose() {
    lost_ = true;
    if (!lent_) bytes_.Release();
  }

  // What was kept, to be sent again; it stays until GiveBack.
  std::string_view Lend() {
    lent_ = true;
    return bytes_.view();
  }
  void GiveBack() {
    lent_ = false;
    if (lost_) bytes_.Release();
  }

  // Whether the body's beginning can be sent no more.
  bool lost() const { return begun_ && lost_; }
  bool begun() const { return begun_; }
  // Whether it is all of the body.
  bool last() const { return last_; }

 private:
  io::Buffer bytes_;
  bool begun_ = false;
  bool last_ = false;
  bool lost_ = false;
  bool lent_ = false;
};

}  // namespace sluice::exchange
