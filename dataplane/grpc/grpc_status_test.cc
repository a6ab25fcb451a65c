#include "dataplane/grpc/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::grpc {
namespace {

using http::Failure;

TEST(GrpcStatusTest, TextIsTheNumber) {
  for (int code = 0; code <= static_cast<int>(StatusCode::kUnauthenticated); ++code) {
    EXPECT_EQ(TextOf(static_cast<StatusCode>(code)), std::to_string(code));
  }
}

TEST(GrpcStatusTest, FailuresThatTellAStatus) {
  const struct {
    Failure failure;
    StatusCode code;
  } rows[] = {
      {Failure::kNone, StatusCode::kOk},
      {Failure::kClientGone, StatusCode::kCancelled},
      {Failure::kNoRoute, StatusCode::kUnimplemented},
      {Failure::kNoEndpoint, StatusCode::kUnavailable},
      {Failure::kUpstreamOverflow, StatusCode::kUnavailable},
      {Failure::kConnectFailed, StatusCode::kUnavailable},
      {Failure::kConnectTimeout, StatusCode::kUnavailable},
      {Failure::kUpstreamReset, StatusCode::kUnavailable},
      {Failure::kUpstreamTimeout, StatusCode::kDeadlineExceeded},
      {Failure::kUpstreamBodyTimeout, StatusCode::kDeadlineExceeded},
      {Failure::kRequestTimeout, StatusCode::kDeadlineExceeded},
      {Failure::kBodyTooLarge, StatusCode::kResourceExhausted},
      {Failure::kHeadTooLarge, StatusCode::kResourceExhausted},
      {Failure::kBadRequest, StatusCode::kInternal},
      {Failure::kUpstreamMalformed, StatusCode::kInternal},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(StatusOfFailure(row.failure), row.code) << http::TraitsOf(row.failure).code;
  }
}

TEST(GrpcStatusTest, NoFailureLooksLikeSuccess) {
  for (int i = 1; i < static_cast<int>(Failure::kCount); ++i) {
    const auto failure = static_cast<Failure>(i);
    EXPECT_NE(StatusOfFailure(failure), StatusCode::kOk) << http::TraitsOf(failure).code;
  }
}

// A client repeats what was unavailable, and what stands between knows that from the HTTP status.
TEST(GrpcStatusTest, UnavailableIsForGatewayErrorsOnly) {
  for (int i = 1; i < static_cast<int>(Failure::kCount); ++i) {
    const auto failure = static_cast<Failure>(i);
    if (StatusOfFailure(failure) != StatusCode::kUnavailable) continue;
    const uint16_t status = http::TraitsOf(failure).status;
    EXPECT_TRUE(status == 429 || status == 502 || status == 503 || status == 504)
        << http::TraitsOf(failure).code;
  }
}

}  // namespace
}  // namespace sluice::grpc
