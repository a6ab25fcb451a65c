#include "dataplane/grpc/grpc_status.h"

#include <array>

namespace sluice::grpc {

using http::Failure;

std::string_view TextOf(StatusCode code) {
  constexpr std::array<std::string_view, 17> kTexts = {
      "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"};
  return kTexts[static_cast<size_t>(code)];
}

// No default in the switch: the compiler finds the gap.
StatusCode StatusOfFailure(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return StatusCode::kOk;
    case Failure::kClientGone:
      return StatusCode::kCancelled;
    case Failure::kRequestTimeout:
    case Failure::kDeadlineExceeded:
    case Failure::kUpstreamTimeout:
    case Failure::kUpstreamBodyTimeout:
    case Failure::kTunnelTimeout:
      return StatusCode::kDeadlineExceeded;
    case Failure::kTargetTooLong:
    case Failure::kHeadTooLarge:
    case Failure::kBodyTooLarge:
      return StatusCode::kResourceExhausted;
    // What is not served here, by any name.
    case Failure::kNoRoute:
    case Failure::kMethodNotAllowed:
    case Failure::kMisdirected:
    case Failure::kUnsupportedVersion:
    case Failure::kUnknownTransferCoding:
    case Failure::kUpgradeRefused:
    case Failure::kGrpcRefused:
      return StatusCode::kUnimplemented;
    case Failure::kBadRequest:
    case Failure::kBadExpectation:
    case Failure::kBadPath:
    case Failure::kInternal:
    case Failure::kUpstreamMalformed:
      return StatusCode::kInternal;
    case Failure::kNoEndpoint:
    case Failure::kUpstreamOverflow:
    case Failure::kOverloaded:
    case Failure::kDraining:
    case Failure::kConnectFailed:
    case Failure::kConnectTimeout:
    case Failure::kTlsFailed:
    case Failure::kUpstreamReset:
    case Failure::kUpstreamBodyCut:
      return StatusCode::kUnavailable;
    case Failure::kCount:
      break;
  }
  __builtin_unreachable();
}

}  // namespace sluice::grpc
