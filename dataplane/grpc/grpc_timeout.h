// The grpc-timeout field: how long the client will wait for the whole call (gRPC over HTTP/2,
// "Requests").
//
// Hot path: once per call, no allocation. No state.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace sluice::grpc {

// Eight digits and a unit.
inline constexpr size_t kTimeoutCharsMax = 9;

// What is left of the call, rounded up to milliseconds: at most 99999999 hours. Nothing if `value`
// is not 1 to 8 digits and one of H M S m u n. Zero, though the specification wants a positive
// number, is what clients send whose deadline has passed.
std::optional<std::chrono::milliseconds> ParseTimeout(std::string_view value);

// Writes at most kTimeoutCharsMax characters to `out` and returns how many: in milliseconds as long
// as they fit into eight digits, then in seconds, minutes or hours, rounded up; 99999999 hours for
// what is longer. What is over is the shortest timeout there is, since zero is not for everybody.
size_t WriteTimeout(std::chrono::milliseconds timeout, char* out);

}  // namespace sluice::grpc
