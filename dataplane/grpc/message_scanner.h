// Follows the frames of a gRPC-Web body: a byte of flags, four of length, a message.
//
// Hot path: looks at five bytes of each message and skips the rest. No allocation.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::grpc {

// In the byte of flags: the frame has trailers, and is the last of a response.
inline constexpr uint8_t kTrailerFlag = 0x80;

class MessageScanner {
 public:
  // False, for good, where a frame of trailers begins: requests have none.
  bool Take(std::string_view bytes);
  // Whether every message that began is complete.
  bool at_boundary() const { return prefix_bytes_ == 0 && message_bytes_ == 0 && !failed_; }

 private:
  uint32_t message_bytes_ = 0;  // Still to come; while there is a prefix: read of it so far.
  uint8_t prefix_bytes_ = 0;    // Of the present prefix, taken.
  bool failed_ = false;
};

}  // namespace sluice::grpc
