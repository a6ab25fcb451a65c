// Every way an exchange can fail, and what follows from it: one row each.
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/http/parse_error.h"

namespace sluice::http {

enum class Failure : uint8_t {
  kNone,
  // The client's doing.
  kBadRequest,
  kRequestTimeout,  // Head or body too slow.
  kTargetTooLong,
  kHeadTooLarge,
  kBodyTooLarge,
  kUnsupportedVersion,
  kUnknownTransferCoding,
  kBadExpectation,
  kBadPath,
  kMethodNotAllowed,  // CONNECT, TRACE as configured.
  kMisdirected,       // A host without a route, by a TLS connection made for another.
  kUpgradeRefused,
  kGrpcRefused,
  kClientGone,
  // Ours.
  kNoRoute,
  kNoEndpoint,        // Every endpoint unhealthy, or none.
  kUpstreamOverflow,  // As many requests under way and waiting as its circuit breaker allows.
  kOverloaded,
  kDraining,
  kInternal,
  // The upstream's doing.
  kConnectFailed,
  kConnectTimeout,
  kTlsFailed,
  kUpstreamReset,  // Closed or reset before the response head was complete.
  kUpstreamMalformed,
  kDeadlineExceeded,  // grpc-timeout is over.
  kUpstreamTimeout,   // No response head in time.
  kUpstreamBodyCut,   // After the head was passed on.
  kUpstreamBodyTimeout,
  kTunnelTimeout,  // Nothing moved in either direction of an upgraded connection.
  kCount,
};

struct FailureTraits {
  uint16_t status;        // What the client gets, if nothing was sent yet. 0: just close.
  bool closes;            // The client connection ends after it.
  std::string_view code;  // In access log and metrics.
  std::string_view text;  // One sentence for the client.
};

// No default in the switch: the compiler finds the gap.
FailureTraits TraitsOf(Failure failure);
Failure FailureOf(ParseError error);

}  // namespace sluice::http
