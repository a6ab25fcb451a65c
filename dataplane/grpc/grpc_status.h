// How a call ended, as gRPC says it, for the calls that end without an answer of the service.
//
// No state, no allocation.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/http/failure.h"

namespace sluice::grpc {

// The numbers of the field grpc-status ("Status codes and their use in gRPC").
enum class StatusCode : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The field's value: "0" to "16".
std::string_view TextOf(StatusCode code);

// What the client is told where our own failure ended its call; the message is that of the table of
// failures. kUnavailable is for what a client may try again without harm.
StatusCode StatusOfFailure(http::Failure failure);

}  // namespace sluice::grpc
