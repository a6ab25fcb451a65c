#include "tests/interop/test_service.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "tests/interop/echo_metadata.h"

namespace sluice::interop {

using ::grpc::ServerContext;
using ::grpc::Status;
using ::grpc::testing::ResponseParameters;
using ::grpc::testing::StreamingOutputCallRequest;
using ::grpc::testing::StreamingOutputCallResponse;

namespace {

void Tell(const char* what, const char* method) {
  std::printf("%s %s\n", what, method);
  std::fflush(stdout);
}

void TellIfCancelled(const ServerContext& context, const char* method) {
  if (context.IsCancelled()) Tell("cancelled", method);
}

void EchoMetadata(ServerContext* context) {
  const auto& metadata = context->client_metadata();
  if (const auto found = metadata.find(kEchoInitial); found != metadata.end()) {
    context->AddInitialMetadata(kEchoInitial, {found->second.data(), found->second.size()});
  }
  if (const auto found = metadata.find(kEchoTrailing); found != metadata.end()) {
    context->AddTrailingMetadata(kEchoTrailing, {found->second.data(), found->second.size()});
  }
}

Status AsAsked(const ::grpc::testing::EchoStatus& status) {
  return {static_cast<::grpc::StatusCode>(status.code()), status.message()};
}

constexpr int32_t kResponseBytesMax = 64 << 20;

bool IsServed(int32_t bytes) { return bytes >= 0 && bytes <= kResponseBytesMax; }

Status TooLarge() { return {::grpc::StatusCode::INVALID_ARGUMENT, "a response of no such size"}; }

// Writes what one request asks for; `stopped` once nobody reads any more.
template <typename Stream>
Status WriteResponses(const StreamingOutputCallRequest& request, Stream* stream, bool* stopped) {
  for (const ResponseParameters& wanted : request.response_parameters()) {
    if (!IsServed(wanted.size())) return TooLarge();
    if (wanted.interval_us() > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(wanted.interval_us()));
    }
    StreamingOutputCallResponse response;
    response.mutable_payload()->mutable_body()->resize(static_cast<size_t>(wanted.size()));
    *stopped = !stream->Write(response);
    if (*stopped) break;
  }
  return Status::OK;
}

}  // namespace

Status TestServer::EmptyCall(ServerContext* context, const ::grpc::testing::Empty* /*request*/,
                             ::grpc::testing::Empty* /*response*/) {
  Tell("call", "EmptyCall");
  EchoMetadata(context);
  return Status::OK;
}

Status TestServer::UnaryCall(ServerContext* context, const ::grpc::testing::SimpleRequest* request,
                             ::grpc::testing::SimpleResponse* response) {
  Tell("call", "UnaryCall");
  EchoMetadata(context);
  if (request->response_status().code() != 0) return AsAsked(request->response_status());
  if (!IsServed(request->response_size())) return TooLarge();
  response->mutable_payload()->mutable_body()->resize(
      static_cast<size_t>(request->response_size()));
  return Status::OK;
}

Status TestServer::StreamingInputCall(
    ServerContext* context,
    ::grpc::ServerReader<::grpc::testing::StreamingInputCallRequest>* reader,
    ::grpc::testing::StreamingInputCallResponse* response) {
  Tell("call", "StreamingInputCall");
  ::grpc::testing::StreamingInputCallRequest request;
  size_t bytes = 0;
  while (reader->Read(&request)) bytes += request.payload().body().size();
  TellIfCancelled(*context, "StreamingInputCall");
  response->set_aggregated_payload_size(static_cast<int32_t>(bytes));
  return Status::OK;
}

Status TestServer::StreamingOutputCall(ServerContext* context,
                                       const StreamingOutputCallRequest* request,
                                       ::grpc::ServerWriter<StreamingOutputCallResponse>* writer) {
  Tell("call", "StreamingOutputCall");
  bool stopped = false;
  const Status status = WriteResponses(*request, writer, &stopped);
  TellIfCancelled(*context, "StreamingOutputCall");
  if (!status.ok()) return status;
  return AsAsked(request->response_status());
}

Status TestServer::FullDuplexCall(
    ServerContext* context,
    ::grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) {
  Tell("call", "FullDuplexCall");
  EchoMetadata(context);
  StreamingOutputCallRequest request;
  bool stopped = false;
  while (!stopped && stream->Read(&request)) {
    if (request.response_status().code() != 0) return AsAsked(request.response_status());
    const Status status = WriteResponses(request, stream, &stopped);
    if (!status.ok()) return status;
  }
  TellIfCancelled(*context, "FullDuplexCall");
  return Status::OK;
}

}  // namespace sluice::interop
