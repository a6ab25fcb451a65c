// The controller's gRPC port.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::serve {

// Documents with their certificates.
inline constexpr int kMessageBytesMax = 64 * 1024 * 1024;

// To be called before anything else of gRPC.
void SetUpGrpc();

struct GrpcPortOptions {
  std::string address;  // ip:port.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  // Either is given. They must outlive the server.
  std::vector<grpc::Service*> services;
  grpc::CallbackGenericService* any_service = nullptr;
};

// kUnavailable: somebody else listens there.
absl::StatusOr<std::unique_ptr<grpc::Server>> ListenForGrpc(const GrpcPortOptions& options);

}  // namespace sluice::serve
