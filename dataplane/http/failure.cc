#include "dataplane/http/failure.h"

namespace sluice::http {

FailureTraits TraitsOf(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return {200, false, "", ""};
    case Failure::kBadRequest:
      return {400, true, "bad_request", "The request is malformed."};
    case Failure::kRequestTimeout:
      return {408, true, "request_timeout", "The request did not arrive in time."};
    case Failure::kTargetTooLong:
      return {414, true, "target_too_long", "The request target is too long."};
    case Failure::kHeadTooLarge:
      return {431, true, "head_too_large", "The request's header fields are too large."};
    case Failure::kBodyTooLarge:
      return {413, true, "body_too_large", "The request's content is too large."};
    case Failure::kUnsupportedVersion:
      return {505, true, "unsupported_version", "This HTTP version is not spoken here."};
    case Failure::kUnknownTransferCoding:
      return {501, true, "unknown_transfer_coding", "The transfer coding is not known here."};
    case Failure::kBadExpectation:
      return {417, true, "bad_expectation", "The expectation cannot be met."};
    case Failure::kBadPath:
      return {400, true, "bad_path", "The request's path is not acceptable."};
    case Failure::kMethodNotAllowed:
      return {405, true, "method_not_allowed", "This method is not served here."};
    case Failure::kMisdirected:
      return {421, false, "misdirected",
              "No route has this host, and the connection was made for another."};
    case Failure::kUpgradeRefused:
      return {501, true, "upgrade_refused", "Protocol upgrades are not served here."};
    case Failure::kGrpcRefused:
      return {505, false, "grpc_refused", "gRPC needs HTTP/2; over HTTP/1 use gRPC-Web."};
    case Failure::kClientGone:
      return {0, true, "client_gone", "The client went away."};
    case Failure::kNoRoute:
      return {404, false, "no_route", "No route matches this request."};
    case Failure::kNoEndpoint:
      return {503, false, "no_endpoint", "No endpoint of the upstream is available."};
    case Failure::kUpstreamOverflow:
      return {503, false, "upstream_overflow", "The upstream has as many requests as it may."};
    case Failure::kOverloaded:
      return {503, true, "overloaded", "The proxy is overloaded."};
    case Failure::kDraining:
      return {503, true, "draining", "The proxy is shutting down."};
    case Failure::kInternal:
      return {500, true, "internal", "The proxy failed."};
    case Failure::kConnectFailed:
      return {502, false, "connect_failed", "The upstream could not be connected to."};
    case Failure::kConnectTimeout:
      return {504, false, "connect_timeout", "The upstream did not accept a connection in time."};
    case Failure::kTlsFailed:
      return {502, false, "tls_failed", "No secure connection to the upstream could be made."};
    case Failure::kUpstreamReset:
      return {502, false, "upstream_reset", "The upstream closed the connection early."};
    case Failure::kUpstreamMalformed:
      return {502, false, "upstream_malformed", "The upstream's response is malformed."};
    case Failure::kDeadlineExceeded:
      return {504, false, "deadline_exceeded", "The call's deadline has passed."};
    case Failure::kUpstreamTimeout:
      return {504, false, "upstream_timeout", "The upstream did not answer in time."};
    case Failure::kUpstreamBodyCut:
      return {502, true, "upstream_body_cut", "The upstream's response was cut short."};
    case Failure::kUpstreamBodyTimeout:
      return {504, true, "upstream_body_timeout", "The upstream's response stalled."};
    case Failure::kTunnelTimeout:
      return {504, true, "tunnel_timeout", "The tunnel was silent for too long."};
    case Failure::kCount:
      break;
  }
  __builtin_unreachable();
}

Failure FailureOf(ParseError error) {
  switch (error) {
    case ParseError::kNone:
      return Failure::kNone;
    case ParseError::kTargetTooLong:
      return Failure::kTargetTooLong;
    case ParseError::kTooManyFields:
    case ParseError::kHeadTooLarge:
      return Failure::kHeadTooLarge;
    case ParseError::kUnsupportedVersion:
      return Failure::kUnsupportedVersion;
    case ParseError::kUnknownTransferCoding:
      return Failure::kUnknownTransferCoding;
    case ParseError::kBadExpect:
      return Failure::kBadExpectation;
    case ParseError::kBadRequestLine:
    case ParseError::kBadMethod:
    case ParseError::kBadTarget:
    case ParseError::kBadVersion:
    case ParseError::kBadField:
    case ParseError::kBadHost:
    case ParseError::kBadContentLength:
    case ParseError::kBadTransferEncoding:
    case ParseError::kBothLengthAndEncoding:
    case ParseError::kBadConnection:
    case ParseError::kBadStatusLine:
    case ParseError::kBadChunk:
    case ParseError::kBadTrailer:
      return Failure::kBadRequest;
  }
  __builtin_unreachable();
}

}  // namespace sluice::http
