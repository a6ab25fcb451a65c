// The client's side of the interoperability cases, by the descriptions of the gRPC project.
//
// Each runs one call, or as many as it needs, on the channel and waits for its end. From any
// thread.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/channel.h>

#include <memory>
#include <span>
#include <string_view>

namespace sluice::interop {

struct Case {
  std::string_view name;
  // What was not as it should be, if anything.
  absl::Status (*run)(const std::shared_ptr<::grpc::Channel>& channel);
};

std::span<const Case> Cases();

}  // namespace sluice::interop
