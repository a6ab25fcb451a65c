// What sluicectl calls, over gRPC's synchronous API: calls are few, and the long ones wait.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>

#include "controlplane/admin/controller_metrics.h"
#include "controlplane/apply/controller.h"
#include "controlplane/trust/guard.h"
#include "sluice/v1/admin_service.grpc.pb.h"

namespace sluice::admin {

class AdminService final : public v1::AdminService::Service {
 public:
  // Calls that stay open (watching, waiting); each holds a thread.
  static constexpr int kLongCallsMax = 128;

  // All must outlive the server. `notifier` may be null.
  AdminService(apply::Controller& controller, publish::Hub& hub, store::VersionStore& store,
               store::TrustStore& trust, trust::Guard& guard,
               const notify::Notifier* notifier = nullptr);

  // Ends the calls that wait, so that the server can end.
  void Stop() { stopping_ = true; }

  grpc::Status Validate(grpc::ServerContext*, const v1::ValidateRequest*,
                        v1::ValidateResponse*) override;
  grpc::Status Diff(grpc::ServerContext*, const v1::DiffRequest*, v1::DiffResponse*) override;
  grpc::Status Apply(grpc::ServerContext*, const v1::ApplyRequest*,
                     grpc::ServerWriter<v1::ApplyProgress>*) override;
  grpc::Status Rollback(grpc::ServerContext*, const v1::RollbackRequest*,
                        grpc::ServerWriter<v1::ApplyProgress>*) override;
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::FleetStatus*) override;
  grpc::Status WatchStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                           grpc::ServerWriter<v1::FleetStatus>*) override;
  grpc::Status ListVersions(grpc::ServerContext*, const v1::ListVersionsRequest*,
                            v1::ListVersionsResponse*) override;
  grpc::Status GetConfig(grpc::ServerContext*, const v1::GetConfigRequest*,
                         v1::GetConfigResponse*) override;
  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest*,
                       v1::ExplainResponse*) override;
  grpc::Status NodeAction(grpc::ServerContext*, const v1::NodeActionRequest*,
                          v1::NodeActionResponse*) override;
  grpc::Status ListAudit(grpc::ServerContext*, const v1::ListAuditRequest*,
                         v1::ListAuditResponse*) override;
  grpc::Status GetRollout(grpc::ServerContext*, const v1::GetRolloutRequest*,
                          v1::Rollout*) override;
  grpc::Status WatchRollout(grpc::ServerContext*, const v1::GetRolloutRequest*,
                            grpc::ServerWriter<v1::Rollout>*) override;
  grpc::Status ActOnRollout(grpc::ServerContext*, const v1::RolloutActionRequest*,
                            v1::Rollout*) override;
  grpc::Status GetDiagnostics(grpc::ServerContext*, const v1::GetDiagnosticsRequest*,
                              v1::GetDiagnosticsResponse*) override;

 private:
  absl::Status Remove(const std::string& node_id);
  v1::FleetStatus StatusNow(const std::string& node_id) const;
  grpc::Status CheckKnown(const std::string& node_id) const;
  absl::StatusOr<store::StoredVersion> FindVersion(uint64_t revision) const;

  apply::Controller& controller_;
  publish::Hub& hub_;
  store::VersionStore& store_;
  store::TrustStore& trust_;
  trust::Guard& guard_;
  const ControllerMetrics metrics_;
  const int64_t started_ms_;
  std::atomic<int> long_calls_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace sluice::admin
