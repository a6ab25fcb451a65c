// The streams of the proxies, over gRPC's callback API.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controlplane/publish/hub.h"
#include "sluice/v1/control_service.grpc.pb.h"

namespace sluice::publish {

class ControlService final : public v1::ControlService::CallbackService {
 public:
  // `hub` must outlive the server.
  explicit ControlService(Hub& hub) : hub_(hub) {}

  grpc::ServerBidiReactor<v1::ProxyMessage, v1::ControllerMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  Hub& hub_;
};

}  // namespace sluice::publish
