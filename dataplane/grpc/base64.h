// Base64 (RFC 4648 section 4) of a body that comes and goes in pieces.
//
// Hot path: every byte of a gRPC-Web text body. No allocation; at most four characters are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::grpc {

inline constexpr size_t kBase64RoomMin = 4;

struct Base64Step {
  size_t consumed = 0;     // Of the input.
  size_t written = 0;      // To the caller's buffer.
  bool malformed = false;  // For good; what was written is of no use.
};

// Decodes a sequence of padded segments, one behind the other, strictly: nothing but the alphabet
// and "=" where a segment ends, and no bits behind the last byte.
class Base64Decoder {
 public:
  // `room`: of `out`, at least kBase64RoomMin. Stops when the input is used up or `out` is full.
  Base64Step Decode(std::string_view in, char* out, size_t room);
  // Whether the input could end here.
  bool at_boundary() const { return chars_ == 0 && !failed_; }

 private:
  // Whether `c` may stand here.
  bool Take(char c, char** out);
  bool TakePadding(char** out);

  uint32_t bits_ = 0;        // Of the present four characters.
  uint8_t chars_ = 0;        // Of them, taken.
  bool in_padding_ = false;  // The first of two "=" was taken.
  bool failed_ = false;
};

// Encodes as much of `in` as fits into `out`. All of it is one padded segment, so that the receiver
// waits for no byte of it; otherwise a multiple of three bytes without padding.
// `room`: of `out`, at least kBase64RoomMin.
Base64Step EncodeBase64(std::string_view in, char* out, size_t room);

}  // namespace sluice::grpc
