// Metadata that servers of the interoperability cases send back: client and server agree on names.
#pragma once

namespace sluice::interop {

inline constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
inline constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";

}  // namespace sluice::interop
