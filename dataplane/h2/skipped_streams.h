// The streams a peer has passed over: opening one closes all below it that were idle (RFC 9113
// section 5.1.1), and using one of those afterwards is an error of the connection.
//
// On the request path: once per HEADERS. One session's. Only the last few gaps are known, which is
// enough to be strict with whoever makes mistakes, and costs nothing with all others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::h2 {

class SkippedStreams {
 public:
  // HEADERS for stream `id` have come. False: of a stream that was passed over.
  bool Take(int32_t id) {
    if (id > last_) {
      if (id > last_ + 2) gaps_[next_++ % gaps_.size()] = {last_, id};
      last_ = id;
      return true;
    }
    for (const Gap& gap : gaps_) {
      if (gap.above < id && id < gap.below) return false;
    }
    return true;
  }

 private:
  struct Gap {
    int32_t above = 0, below = 0;
  };
  std::array<Gap, 8> gaps_;
  size_t next_ = 0;
  int32_t last_ = -1;
};

}  // namespace sluice::h2
