// The streams of the proxies, over gRPC's callback API.
//
// Bytes in and out: what many nodes are sent is serialised once and shared, also inside gRPC.
#pragma once

#include <grpcpp/grpcpp.h>

#include "controlplane/publish/hub.h"
#include "controlplane/trust/guard.h"
#include "sluice/v1/control_service.grpc.pb.h"

namespace sluice::publish {

class ControlService final
    : public v1::ControlService::WithRawCallbackMethod_Connect<v1::ControlService::Service> {
 public:
  // Of one message from a proxy; it must not come near gRPC's own default.
  static constexpr size_t kMessageBytesMax = 4 * 1024 * 1024;
  // Messages that wait for a node that does not read; then its stream ends, and it starts afresh.
  static constexpr size_t kQueueMax = 4096;

  // Both must outlive the server. Without a guard every proxy is who it says it is.
  explicit ControlService(Hub& hub, trust::Guard* guard = nullptr) : hub_(hub), guard_(guard) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  Hub& hub_;
  trust::Guard* const guard_;
};

}  // namespace sluice::publish
