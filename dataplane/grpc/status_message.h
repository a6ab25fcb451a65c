// The value of the field grpc-message: text, percent-encoded ("Status-Message" of gRPC over
// HTTP/2).
//
// No state, no allocation.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::grpc {

// The most that one byte can become: %XX.
inline constexpr size_t kMessageBytesMax = 3;

// Writes `text` to `out`, which has room for kMessageBytesMax times its size; returns the bytes
// written. Printable ASCII but "%" stays as it is.
size_t EncodeMessage(std::string_view text, char* out);

}  // namespace sluice::grpc
