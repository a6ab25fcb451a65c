#include "tests/interop/cases.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <string>

#include "grpc/testing/test_service.grpc.pb.h"
#include "tests/interop/echo_metadata.h"

namespace sluice::interop {
namespace {

using ::grpc::ClientContext;
using ::grpc::Status;
using ::grpc::StatusCode;
using ::grpc::testing::Empty;
using ::grpc::testing::SimpleRequest;
using ::grpc::testing::SimpleResponse;
using ::grpc::testing::StreamingInputCallRequest;
using ::grpc::testing::StreamingInputCallResponse;
using ::grpc::testing::StreamingOutputCallRequest;
using ::grpc::testing::StreamingOutputCallResponse;
using ::grpc::testing::TestService;
using ::grpc::testing::UnimplementedService;
using Channel = std::shared_ptr<::grpc::Channel>;

constexpr int kLargeRequestBytes = 271828;
constexpr int kLargeResponseBytes = 314159;
constexpr int kHugeRequestBytes = 64 << 20;
constexpr int kHugeResponseBytes = 48 << 20;
constexpr int kRequestBytes[] = {27182, 8, 1828, 45904};
constexpr int kResponseBytes[] = {31415, 9, 2653, 58979};
// No call of these cases takes that long, whatever stands between.
constexpr std::chrono::seconds kCallTimeMax{30};
constexpr std::chrono::seconds kHugeCallTimeMax{180};

class Call : public ClientContext {
 public:
  explicit Call(std::chrono::seconds time_max = kCallTimeMax) {
    set_deadline(std::chrono::system_clock::now() + time_max);
  }
};

absl::Status Wrong(const std::string& what) { return absl::FailedPreconditionError(what); }

absl::Status Expect(bool condition, const std::string& what) {
  return condition ? absl::OkStatus() : Wrong(what);
}

absl::Status ExpectCode(const Status& status, StatusCode code) {
  return Expect(status.error_code() == code, "ended with " + std::to_string(status.error_code()) +
                                                 " (" + status.error_message() + "), not " +
                                                 std::to_string(code));
}

absl::Status ExpectSize(const ::grpc::testing::Payload& payload, int bytes) {
  return Expect(payload.body().size() == static_cast<size_t>(bytes),
                "a payload of " + std::to_string(payload.body().size()) + " bytes, not " +
                    std::to_string(bytes));
}

// The first that is not OK.
absl::Status Both(const absl::Status& first, const absl::Status& second) {
  return first.ok() ? second : first;
}

void SetPayload(int bytes, ::grpc::testing::Payload* payload) {
  payload->mutable_body()->resize(static_cast<size_t>(bytes));
}

StreamingOutputCallRequest PingOf(int request_bytes, int response_bytes) {
  StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(response_bytes);
  SetPayload(request_bytes, request.mutable_payload());
  return request;
}

absl::Status EmptyUnary(const Channel& channel) {
  Call call;
  Empty response;
  return ExpectCode(TestService::NewStub(channel)->EmptyCall(&call, {}, &response), StatusCode::OK);
}

SimpleRequest RequestOf(int request_bytes, int response_bytes) {
  SimpleRequest request;
  request.set_response_size(response_bytes);
  SetPayload(request_bytes, request.mutable_payload());
  return request;
}

SimpleRequest LargeRequest() { return RequestOf(kLargeRequestBytes, kLargeResponseBytes); }

absl::Status LargeUnary(const Channel& channel) {
  Call call;
  SimpleResponse response;
  const Status status = TestService::NewStub(channel)->UnaryCall(&call, LargeRequest(), &response);
  return Both(ExpectCode(status, StatusCode::OK),
              ExpectSize(response.payload(), kLargeResponseBytes));
}

// Ours: messages far beyond what gRPC lets through by default.
absl::Status HugeUnary(const Channel& channel) {
  Call call(kHugeCallTimeMax);
  SimpleResponse response;
  const Status status = TestService::NewStub(channel)->UnaryCall(
      &call, RequestOf(kHugeRequestBytes, kHugeResponseBytes), &response);
  return Both(ExpectCode(status, StatusCode::OK),
              ExpectSize(response.payload(), kHugeResponseBytes));
}

absl::Status HugePingPong(const Channel& channel) {
  Call call(kHugeCallTimeMax);
  const auto stream = TestService::NewStub(channel)->FullDuplexCall(&call);
  absl::Status problem;
  for (int i = 0; i < 2 && problem.ok(); ++i) {
    StreamingOutputCallResponse response;
    const bool answered =
        stream->Write(PingOf(kHugeRequestBytes, kHugeResponseBytes)) && stream->Read(&response);
    problem = answered ? ExpectSize(response.payload(), kHugeResponseBytes) : Wrong("no response");
  }
  stream->WritesDone();
  const Status ended = stream->Finish();
  return Both(ExpectCode(ended, StatusCode::OK), problem);
}

absl::Status ClientStreaming(const Channel& channel) {
  Call call;
  StreamingInputCallResponse response;
  const auto writer = TestService::NewStub(channel)->StreamingInputCall(&call, &response);
  int sum = 0;
  for (const int bytes : kRequestBytes) {
    StreamingInputCallRequest request;
    SetPayload(bytes, request.mutable_payload());
    if (!writer->Write(request)) break;
    sum += bytes;
  }
  writer->WritesDone();
  const Status ended = writer->Finish();
  return Both(ExpectCode(ended, StatusCode::OK),
              Expect(response.aggregated_payload_size() == sum, "not all requests arrived"));
}

absl::Status ServerStreaming(const Channel& channel) {
  Call call;
  StreamingOutputCallRequest request;
  for (const int bytes : kResponseBytes) request.add_response_parameters()->set_size(bytes);
  const auto reader = TestService::NewStub(channel)->StreamingOutputCall(&call, request);
  StreamingOutputCallResponse response;
  absl::Status problem;
  size_t count = 0;
  for (; reader->Read(&response); ++count) {
    if (count < std::size(kResponseBytes)) {
      problem = Both(problem, ExpectSize(response.payload(), kResponseBytes[count]));
    }
  }
  const Status ended = reader->Finish();
  return Both(Both(ExpectCode(ended, StatusCode::OK), problem),
              Expect(count == std::size(kResponseBytes), "not four responses"));
}

absl::Status PingPong(const Channel& channel) {
  Call call;
  const auto stream = TestService::NewStub(channel)->FullDuplexCall(&call);
  absl::Status problem;
  for (size_t i = 0; i < std::size(kRequestBytes) && problem.ok(); ++i) {
    StreamingOutputCallResponse response;
    if (!stream->Write(PingOf(kRequestBytes[i], kResponseBytes[i])) || !stream->Read(&response)) {
      problem = Wrong("the stream ended after " + std::to_string(i) + " responses");
      break;
    }
    problem = ExpectSize(response.payload(), kResponseBytes[i]);
  }
  stream->WritesDone();
  StreamingOutputCallResponse more;
  if (problem.ok() && stream->Read(&more)) problem = Wrong("a response too many");
  const Status ended = stream->Finish();
  return Both(ExpectCode(ended, StatusCode::OK), problem);
}

absl::Status EmptyStream(const Channel& channel) {
  Call call;
  const auto stream = TestService::NewStub(channel)->FullDuplexCall(&call);
  stream->WritesDone();
  StreamingOutputCallResponse response;
  const bool got_one = stream->Read(&response);
  const Status ended = stream->Finish();
  return Both(ExpectCode(ended, StatusCode::OK), Expect(!got_one, "a response to nothing"));
}

absl::Status TimeoutOnSleepingServer(const Channel& channel) {
  ClientContext call;
  call.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  const auto stream = TestService::NewStub(channel)->FullDuplexCall(&call);
  StreamingOutputCallRequest request;
  SetPayload(kRequestBytes[0], request.mutable_payload());
  stream->Write(request);  // May be too late already.
  const Status ended = stream->Finish();
  return ExpectCode(ended, StatusCode::DEADLINE_EXCEEDED);
}

absl::Status CancelAfterBegin(const Channel& channel) {
  Call call;
  StreamingInputCallResponse response;
  const auto writer = TestService::NewStub(channel)->StreamingInputCall(&call, &response);
  call.TryCancel();
  const Status ended = writer->Finish();
  return ExpectCode(ended, StatusCode::CANCELLED);
}

absl::Status CancelAfterFirstResponse(const Channel& channel) {
  Call call;
  const auto stream = TestService::NewStub(channel)->FullDuplexCall(&call);
  StreamingOutputCallResponse response;
  const bool answered =
      stream->Write(PingOf(kRequestBytes[0], kResponseBytes[0])) && stream->Read(&response);
  call.TryCancel();
  const Status ended = stream->Finish();
  return Both(ExpectCode(ended, StatusCode::CANCELLED), Expect(answered, "no first response"));
}

absl::Status ExpectEchoed(const Status& status, StatusCode code, const std::string& message) {
  return Both(ExpectCode(status, code), Expect(status.error_message() == message,
                                               "the message is: " + status.error_message()));
}

absl::Status UnaryStatus(const Channel& channel, StatusCode code, const std::string& message) {
  Call call;
  SimpleRequest request;
  request.mutable_response_status()->set_code(code);
  request.mutable_response_status()->set_message(message);
  SimpleResponse response;
  return ExpectEchoed(TestService::NewStub(channel)->UnaryCall(&call, request, &response), code,
                      message);
}

absl::Status StreamStatus(const Channel& channel, StatusCode code, const std::string& message) {
  Call call;
  const auto stream = TestService::NewStub(channel)->FullDuplexCall(&call);
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(code);
  request.mutable_response_status()->set_message(message);
  stream->Write(request);
  stream->WritesDone();
  const Status ended = stream->Finish();
  return ExpectEchoed(ended, code, message);
}

absl::Status StatusCodeAndMessage(const Channel& channel) {
  const std::string message = "test status message";
  return Both(UnaryStatus(channel, StatusCode::UNKNOWN, message),
              StreamStatus(channel, StatusCode::UNKNOWN, message));
}

absl::Status SpecialStatusMessage(const Channel& channel) {
  return UnaryStatus(channel, StatusCode::UNKNOWN,
                     "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n");
}

absl::Status UnimplementedMethod(const Channel& channel) {
  Call call;
  Empty response;
  return ExpectCode(TestService::NewStub(channel)->UnimplementedCall(&call, {}, &response),
                    StatusCode::UNIMPLEMENTED);
}

absl::Status UnimplementedServiceCase(const Channel& channel) {
  Call call;
  Empty response;
  return ExpectCode(UnimplementedService::NewStub(channel)->UnimplementedCall(&call, {}, &response),
                    StatusCode::UNIMPLEMENTED);
}

constexpr char kInitialValue[] = "test_initial_metadata_value";
constexpr char kTrailingValue[] = "\xab\xab\xab";

void SendMetadata(ClientContext* call) {
  call->AddMetadata(kEchoInitial, kInitialValue);
  call->AddMetadata(kEchoTrailing, kTrailingValue);
}

absl::Status ExpectMetadata(const ClientContext& call) {
  const auto& initial = call.GetServerInitialMetadata();
  const auto& trailing = call.GetServerTrailingMetadata();
  const auto first = initial.find(kEchoInitial);
  const auto last = trailing.find(kEchoTrailing);
  return Both(
      Expect(first != initial.end() && first->second == kInitialValue, "no initial metadata"),
      Expect(last != trailing.end() && last->second == kTrailingValue, "no trailing metadata"));
}

absl::Status CustomMetadata(const Channel& channel) {
  const auto stub = TestService::NewStub(channel);
  Call unary;
  SendMetadata(&unary);
  SimpleResponse response;
  const absl::Status first =
      ExpectCode(stub->UnaryCall(&unary, LargeRequest(), &response), StatusCode::OK);
  if (!first.ok()) return first;
  Call duplex;
  SendMetadata(&duplex);
  const auto stream = stub->FullDuplexCall(&duplex);
  StreamingOutputCallResponse piece;
  stream->Write(PingOf(kLargeRequestBytes, kLargeResponseBytes));
  stream->WritesDone();
  while (stream->Read(&piece)) {
  }
  const Status ended = stream->Finish();
  return Both(Both(ExpectCode(ended, StatusCode::OK), ExpectMetadata(unary)),
              ExpectMetadata(duplex));
}

constexpr Case kCases[] = {
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"huge_unary", HugeUnary},
    {"huge_ping_pong", HugePingPong},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"custom_metadata", CustomMetadata},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedServiceCase},
};

}  // namespace

std::span<const Case> Cases() { return kCases; }

}  // namespace sluice::interop
