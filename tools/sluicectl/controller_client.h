// The controller's AdminService and TokenService, as calls that return when there is an answer.
//
// Errors: kUnavailable: the controller cannot be reached (the message names the address);
// kDeadlineExceeded: it did not answer in time; kUnimplemented: it does not know the request;
// kPermissionDenied: the caller may not, or is nobody; everything else: it refused, in its own
// words. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/backup.pb.h"
#include "sluice/v1/token_service.pb.h"
#include "tools/sluicectl/options.h"

namespace sluice::sluicectl {

// Called for each message of a stream, in order, on the caller's thread.
template <typename Message>
struct StreamHandler {
  std::function<bool(const Message&)> on_message;  // False: enough, end the call.
  std::function<void()> on_tick = nullptr;         // Between messages, at this pace.
  std::chrono::milliseconds tick{100};
  std::function<bool()> wanted = nullptr;  // Asked at every tick; false: end the call.
};

class ControllerClient {
 public:
  // Connects at the first call. Fails on bad addresses, unreadable or incomplete credentials, and
  // when neither --insecure nor TLS files were given: the message says which flag is missing.
  static absl::StatusOr<std::unique_ptr<ControllerClient>> Create(const GlobalOptions& options);
  ~ControllerClient();

  absl::StatusOr<v1::DiffResponse> Diff(const v1::DiffRequest& request);
  absl::StatusOr<v1::FleetStatus> GetStatus(const v1::GetStatusRequest& request);
  absl::StatusOr<v1::ListVersionsResponse> ListVersions(const v1::ListVersionsRequest& request);
  absl::StatusOr<v1::GetConfigResponse> GetConfig(const v1::GetConfigRequest& request);
  absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request);
  absl::StatusOr<v1::NodeActionResponse> NodeAction(const v1::NodeActionRequest& request);
  absl::StatusOr<v1::ListAuditResponse> ListAudit(const v1::ListAuditRequest& request);
  absl::StatusOr<v1::CreateTokenResponse> CreateToken(const v1::CreateTokenRequest& request);
  absl::StatusOr<v1::ListTokensResponse> ListTokens(const v1::ListTokensRequest& request);
  absl::StatusOr<v1::RevokeTokenResponse> RevokeToken(const v1::RevokeTokenRequest& request);
  absl::StatusOr<v1::GetDiagnosticsResponse> GetDiagnostics(
      const v1::GetDiagnosticsRequest& request);

  absl::StatusOr<v1::Rollout> GetRollout(const v1::GetRolloutRequest& request);
  absl::StatusOr<v1::Rollout> ActOnRollout(const v1::RolloutActionRequest& request);

  // Every piece in order; an error from `take` ends the call.
  absl::Status Backup(const v1::BackupRequest& request,
                      const std::function<absl::Status(std::string_view piece)>& take);

  using Timeout = std::optional<std::chrono::milliseconds>;
  // The controller ends these by itself within `timeout`; a silent one is given up a little later.
  // None: it takes as long as it takes.
  absl::Status Apply(const v1::ApplyRequest& request, Timeout timeout,
                     StreamHandler<v1::ApplyProgress> handler);
  absl::Status Rollback(const v1::RollbackRequest& request, Timeout timeout,
                        StreamHandler<v1::ApplyProgress> handler);
  // Until the rollout is over.
  absl::Status WatchRollout(const v1::GetRolloutRequest& request,
                            StreamHandler<v1::Rollout> handler);
  // Until the handler has enough or the stream ends.
  absl::Status WatchStatus(const v1::GetStatusRequest& request,
                           StreamHandler<v1::FleetStatus> handler);

 private:
  struct Connection;
  explicit ControllerClient(std::unique_ptr<Connection> connection);

  const std::unique_ptr<Connection> connection_;
};

}  // namespace sluice::sluicectl
