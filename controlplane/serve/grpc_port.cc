#include "controlplane/serve/grpc_port.h"

#include <fmt/format.h>
#include <stdlib.h>

#include "absl/synchronization/mutex.h"

namespace sluice::serve {
namespace {

constexpr int kReadBytesMax = 8 * 1024;  // Of a connection, at once.

}  // namespace

void SetUpGrpc() {
  // Release 1.51 keeps 64 KiB to read into for every connection that has once brought a report of
  // some hundred endpoints, whatever may be read at once. The way before keeps to that.
  if (grpc::Version().starts_with("1.51.")) setenv("GRPC_EXPERIMENTS", "-tcp_read_chunks", 0);
  // Debian's abseil looks for deadlocks with every lock that gRPC takes, under a lock of its own.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

absl::StatusOr<std::unique_ptr<grpc::Server>> ListenForGrpc(const GrpcPortOptions& options) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.address, options.credentials, &port);
  for (grpc::Service* service : options.services) builder.RegisterService(service);
  if (options.any_service != nullptr) builder.RegisterCallbackGenericService(options.any_service);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBytesMax);
  // A proxy that vanished without a word is noticed.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 500);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {}: another program listens there", options.address));
  }
  return server;
}

}  // namespace sluice::serve
