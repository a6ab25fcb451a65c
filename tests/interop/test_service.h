// The server's side of the interoperability cases.
//
// Called by gRPC's threads, many at a time; holds nothing but what it was made with.
#pragma once

#include <string_view>

#include "grpc/testing/test_service.grpc.pb.h"

namespace sluice::interop {

// Tells every call on standard output before it serves it, and that a streaming call was cancelled:
// "call" or "cancelled" and the method, a line each.
class TestServer final : public ::grpc::testing::TestService::Service {
 public:
  ::grpc::Status EmptyCall(::grpc::ServerContext* context, const ::grpc::testing::Empty* request,
                           ::grpc::testing::Empty* response) override;
  ::grpc::Status UnaryCall(::grpc::ServerContext* context,
                           const ::grpc::testing::SimpleRequest* request,
                           ::grpc::testing::SimpleResponse* response) override;
  ::grpc::Status StreamingInputCall(
      ::grpc::ServerContext* context,
      ::grpc::ServerReader<::grpc::testing::StreamingInputCallRequest>* reader,
      ::grpc::testing::StreamingInputCallResponse* response) override;
  ::grpc::Status StreamingOutputCall(
      ::grpc::ServerContext* context, const ::grpc::testing::StreamingOutputCallRequest* request,
      ::grpc::ServerWriter<::grpc::testing::StreamingOutputCallResponse>* writer) override;
  ::grpc::Status FullDuplexCall(
      ::grpc::ServerContext* context,
      ::grpc::ServerReaderWriter<::grpc::testing::StreamingOutputCallResponse,
                                 ::grpc::testing::StreamingOutputCallRequest>* stream) override;
};

}  // namespace sluice::interop
