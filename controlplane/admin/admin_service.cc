#include "controlplane/admin/admin_service.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <thread>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/config/certificate.h"
#include "controlplane/build/explain.h"
#include "controlplane/source/source_tree.h"

namespace sluice::admin {
namespace {

constexpr std::chrono::milliseconds kCommandTimeout{5000};
constexpr std::chrono::milliseconds kWatchPace{250};
constexpr int64_t kAskedAgainMs = 2'000;
constexpr size_t kArgumentBytesMax = 1024;  // Of a command, which waits until the node reads.
constexpr uint32_t kListed = 20;
constexpr uint32_t kListedMax = 10'000;

using trust::ToGrpc;

template <typename T>
grpc::Status ToGrpc(const absl::StatusOr<T>& result) {
  return result.ok() ? grpc::Status::OK : ToGrpc(result.status());
}

int Limit(uint32_t asked) {
  return static_cast<int>(asked == 0 ? kListed : std::min(asked, kListedMax));
}

// What a change has in common, however it came.
template <typename Request>
apply::ChangeRequest ChangeOf(const trust::Caller& caller, const Request& request) {
  apply::ChangeRequest change;
  change.author = caller.Author(request.author());
  change.role = caller.RoleText();
  change.peer = caller.peer;
  change.message = request.message();
  change.wait = request.wait();
  change.partial = request.partial();
  change.strategy = request.strategy();
  change.force = request.force();
  if (request.timeout_ms() > 0) change.timeout = std::chrono::milliseconds(request.timeout_ms());
  return change;
}

v1::VersionInfo InfoOf(const store::StoredVersion& version) {
  v1::VersionInfo info;
  *info.mutable_version() = version.version;
  info.set_created_unix_ms(static_cast<uint64_t>(version.created_unix_ms));
  info.set_author(version.author);
  info.set_message(version.message);
  info.set_source(version.source);
  info.set_state(std::string(store::NameOf(version.state)));
  info.set_resource_count(static_cast<uint32_t>(version.resource_count));
  info.set_changes(static_cast<uint32_t>(version.changes));
  return info;
}

// A call that holds a thread; there are only so many.
class LongCall {
 public:
  LongCall(std::atomic<int>& open, int most) : open_(open), granted_(open.fetch_add(1) < most) {}
  ~LongCall() { open_.fetch_sub(1); }
  bool granted() const { return granted_; }
  static grpc::Status Refusal() {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "too many calls wait or watch already; try again later");
  }

 private:
  std::atomic<int>& open_;
  const bool granted_;
};

// Whoever watches for hours may have lost the right to meanwhile: revoked, or expired.
class WatchPermit {
 public:
  WatchPermit(trust::Guard& guard, const grpc::ServerContext& context, std::string_view method)
      : guard_(guard), context_(context), method_(method) {}

  absl::Status Check() {
    const int64_t now_ms = base::MonotonicMillis();
    if (asked_ms_ != 0 && now_ms - asked_ms_ < kAskedAgainMs) return absl::OkStatus();
    asked_ms_ = now_ms;
    return guard_.Admit(context_, method_).status();
  }

 private:
  trust::Guard& guard_;
  const grpc::ServerContext& context_;
  const std::string_view method_;
  int64_t asked_ms_ = 0;  // 0: not yet.
};

absl::Status CheckSize(const v1::Document& document) {
  size_t bytes = 0;
  for (const v1::SourceFile& file : document.files()) bytes += file.content().size();
  if (bytes <= source::kDocumentBytesMax) return absl::OkStatus();
  return absl::ResourceExhaustedError(fmt::format("the document has {} bytes; at most {} are taken",
                                                  bytes, source::kDocumentBytesMax));
}

}  // namespace

AdminService::AdminService(apply::Controller& controller, publish::Hub& hub,
                           store::VersionStore& store, store::TrustStore& trust,
                           trust::Guard& guard, const notify::Notifier* notifier)
    : controller_(controller),
      hub_(hub),
      store_(store),
      trust_(trust),
      guard_(guard),
      metrics_(controller, hub, store, guard, notifier),
      started_ms_(base::MonotonicMillis()) {}

grpc::Status AdminService::Validate(grpc::ServerContext* context,
                                    const v1::ValidateRequest* request,
                                    v1::ValidateResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/Validate");
  if (!caller.ok()) return ToGrpc(caller.status());
  if (const absl::Status status = CheckSize(request->document()); !status.ok())
    return ToGrpc(status);
  *response = controller_.Validate(request->document());
  return grpc::Status::OK;
}

grpc::Status AdminService::Diff(grpc::ServerContext* context, const v1::DiffRequest* request,
                                v1::DiffResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/Diff");
  if (!caller.ok()) return ToGrpc(caller.status());
  if (const absl::Status status = CheckSize(request->document()); !status.ok())
    return ToGrpc(status);
  auto diff = controller_.Diff(*request);
  if (diff.ok()) *response = *std::move(diff);
  return ToGrpc(diff);
}

grpc::Status AdminService::Apply(grpc::ServerContext* context, const v1::ApplyRequest* request,
                                 grpc::ServerWriter<v1::ApplyProgress>* writer) {
  const auto caller = guard_.Admit(*context, "AdminService/Apply");
  if (!caller.ok()) return ToGrpc(caller.status());
  const LongCall call(long_calls_, kLongCallsMax);
  if (!call.granted()) return LongCall::Refusal();
  if (const absl::Status status = CheckSize(request->document()); !status.ok())
    return ToGrpc(status);
  apply::ChangeRequest change = ChangeOf(*caller, *request);
  change.source = "api";
  change.if_version = request->if_version();
  change.allow_shrink = request->allow_shrink();
  change.dry_run = request->dry_run();
  controller_.Apply(request->document(), change, [writer](const v1::ApplyProgress& progress) {
    return writer->Write(progress);
  });
  return grpc::Status::OK;
}

grpc::Status AdminService::Rollback(grpc::ServerContext* context,
                                    const v1::RollbackRequest* request,
                                    grpc::ServerWriter<v1::ApplyProgress>* writer) {
  const auto caller = guard_.Admit(*context, "AdminService/Rollback");
  if (!caller.ok()) return ToGrpc(caller.status());
  const LongCall call(long_calls_, kLongCallsMax);
  if (!call.granted()) return LongCall::Refusal();
  apply::ChangeRequest change = ChangeOf(*caller, *request);
  change.source = "rollback";
  // Going back is urgent.
  if (change.strategy.kind() == v1::StrategyChoice::AS_CONFIGURED) {
    change.strategy.set_kind(v1::StrategyChoice::ALL_AT_ONCE);
  }
  controller_.Rollback(request->to_revision(), change, [writer](const v1::ApplyProgress& progress) {
    return writer->Write(progress);
  });
  return grpc::Status::OK;
}

v1::FleetStatus AdminService::StatusNow(const std::string& node_id) const {
  v1::FleetStatus status = controller_.Status(node_id);
  status.set_controller_version(std::string(base::Version()));
  status.set_controller_uptime_seconds(
      static_cast<uint64_t>((base::MonotonicMillis() - started_ms_) / 1000));
  return status;
}

grpc::Status AdminService::GetStatus(grpc::ServerContext* context,
                                     const v1::GetStatusRequest* request,
                                     v1::FleetStatus* response) {
  const auto caller = guard_.Admit(*context, "AdminService/GetStatus");
  if (!caller.ok()) return ToGrpc(caller.status());
  *response = StatusNow(request->node_id());
  return CheckKnown(request->node_id());
}

grpc::Status AdminService::CheckKnown(const std::string& node_id) const {
  if (node_id.empty() || hub_.Status(node_id).nodes_size() > 0) return grpc::Status::OK;
  return grpc::Status(
      grpc::StatusCode::NOT_FOUND,
      fmt::format("there is no node {}; `sluicectl get nodes` lists them", node_id));
}

grpc::Status AdminService::WatchStatus(grpc::ServerContext* context,
                                       const v1::GetStatusRequest* request,
                                       grpc::ServerWriter<v1::FleetStatus>* writer) {
  WatchPermit permit(guard_, *context, "AdminService/WatchStatus");
  if (const absl::Status may = permit.Check(); !may.ok()) return ToGrpc(may);
  const LongCall call(long_calls_, kLongCallsMax);
  if (!call.granted()) return LongCall::Refusal();
  if (const grpc::Status known = CheckKnown(request->node_id()); !known.ok()) return known;
  uint64_t seen = 0;
  while (!stopping_ && !context->IsCancelled()) {
    if (const absl::Status may = permit.Check(); !may.ok()) return ToGrpc(may);
    const uint64_t now = hub_.Wait(seen, kWatchPace);
    if (now == seen) continue;
    seen = now;
    if (!writer->Write(StatusNow(request->node_id()))) break;
    std::this_thread::sleep_for(kWatchPace);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::ListVersions(grpc::ServerContext* context,
                                        const v1::ListVersionsRequest* request,
                                        v1::ListVersionsResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/ListVersions");
  if (!caller.ok()) return ToGrpc(caller.status());
  const auto versions = store_.List(Limit(request->limit()));
  if (!versions.ok()) return ToGrpc(versions.status());
  for (const store::StoredVersion& version : *versions) *response->add_versions() = InfoOf(version);
  return grpc::Status::OK;
}

absl::StatusOr<store::StoredVersion> AdminService::FindVersion(uint64_t revision) const {
  return revision == 0 ? store_.Current() : store_.Get(revision);
}

grpc::Status AdminService::GetConfig(grpc::ServerContext* context,
                                     const v1::GetConfigRequest* request,
                                     v1::GetConfigResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/GetConfig");
  if (!caller.ok()) return ToGrpc(caller.status());
  const auto version = FindVersion(request->revision());
  if (!version.ok()) return ToGrpc(version.status());
  *response->mutable_info() = InfoOf(*version);
  const auto resources = store_.Resources(version->version.revision());
  if (!resources.ok()) return ToGrpc(resources.status());
  for (const auto& resource : *resources) {
    v1::Resource& copy = *response->add_resources();
    copy = *resource;
    if (resource->kind() != v1::RESOURCE_KIND_CERTIFICATE) continue;
    v1::Certificate certificate;
    certificate.ParseFromString(resource->body());
    certificate.clear_key_pem();
    // Versions of before were stored with the file as it was, which may have had the key in it.
    certificate.set_chain_pem(config::ChainIn(certificate.chain_pem()).value_or(""));
    copy.set_body(certificate.SerializeAsString());
    if (auto info = config::DescribeCertificate(certificate); info.ok()) {
      *response->add_certificates() = *std::move(info);
    }
  }
  auto document = store_.Document(version->version.revision());
  if (document.ok()) response->mutable_files()->Swap(document->mutable_files());
  return ToGrpc(document);
}

grpc::Status AdminService::Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                                   v1::ExplainResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/Explain");
  if (!caller.ok()) return ToGrpc(caller.status());
  const auto current = controller_.current();
  if (current->info.version.revision() == 0) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "nothing has been applied yet");
  }
  auto answer = build::Explain(*current->resources, *request);
  if (!answer.ok()) return ToGrpc(answer.status());
  *response = *std::move(answer);
  *response->mutable_version() = current->info.version;
  const auto health = hub_.EndpointHealth();
  for (auto& upstream : *response->mutable_upstreams()) {
    for (auto& endpoint : *upstream.mutable_endpoints()) {
      const auto found = health.find({upstream.upstream(), endpoint.address()});
      if (found == health.end()) {
        // As the nodes take it until a check says otherwise.
        endpoint.set_healthy(true);
        endpoint.set_reason("no node has reported on it yet");
        continue;
      }
      endpoint.set_healthy(found->second.healthy == found->second.seen);
      endpoint.set_reason(fmt::format("healthy on {} of {} nodes{}{}", found->second.healthy,
                                      found->second.seen, found->second.reason.empty() ? "" : "; ",
                                      found->second.reason));
    }
  }
  if (request->node_id().empty()) return grpc::Status::OK;
  v1::Command command;
  command.mutable_explain()->set_method(request->method());
  command.mutable_explain()->set_url(request->url());
  command.mutable_explain()->set_service(request->service());
  *command.mutable_explain()->mutable_headers() = request->headers();
  auto json = hub_.Command(request->node_id(), std::move(command), kCommandTimeout);
  if (json.ok()) response->set_node_json(*json);
  return ToGrpc(json);
}

grpc::Status AdminService::NodeAction(grpc::ServerContext* context,
                                      const v1::NodeActionRequest* request,
                                      v1::NodeActionResponse* response) {
  const std::string action = v1::NodeActionRequest::Action_Name(request->action());
  if (action.empty()) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "unknown action");
  const auto caller = guard_.Admit(*context, "AdminService/NodeAction:" + action);
  if (!caller.ok()) return ToGrpc(caller.status());
  if (request->argument().size() > kArgumentBytesMax) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the argument is too long");
  }
  v1::Command command;
  absl::StatusOr<std::string> json = std::string();
  switch (request->action()) {
    case v1::NodeActionRequest::DRAIN:
      command.mutable_drain();
      break;
    case v1::NodeActionRequest::UNDRAIN:
      command.mutable_undrain();
      break;
    case v1::NodeActionRequest::LOG_LEVEL:
      command.mutable_set_log_level()->set_level(request->argument());
      break;
    case v1::NodeActionRequest::DUMP:
      command.mutable_dump()->set_what(request->argument());
      break;
    case v1::NodeActionRequest::REMOVE:
      if (const absl::Status status = Remove(request->node_id()); !status.ok()) {
        return ToGrpc(status);
      }
      break;
    case v1::NodeActionRequest::CORDON:
    case v1::NodeActionRequest::UNCORDON:
      if (const absl::Status status = hub_.SetCordoned(
              request->node_id(), request->action() == v1::NodeActionRequest::CORDON);
          !status.ok()) {
        return ToGrpc(status);
      }
      break;
    case v1::NodeActionRequest::LABEL:
      if (const absl::Status status =
              hub_.ChangeNodeLabels(request->node_id(), request->argument());
          !status.ok()) {
        return ToGrpc(status);
      }
      break;
    default:
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "unknown action");
  }
  if (command.command_case() != v1::Command::COMMAND_NOT_SET) {
    json = hub_.Command(request->node_id(), std::move(command), kCommandTimeout);
    if (!json.ok()) return ToGrpc(json.status());
  }
  response->set_json(*json);
  response->set_message(fmt::format("node {}: {} done", request->node_id(), action));
  if (request->action() == v1::NodeActionRequest::DUMP) return grpc::Status::OK;
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(caller->Author(request->author()));
  entry.set_role(caller->RoleText());
  entry.set_peer(caller->peer);
  entry.set_action("node " + action);
  entry.set_detail(request->node_id() + " " + request->argument());
  return ToGrpc(store_.Audit(entry));
}

// First its certificate is worth nothing, then its stream ends: it must not come back in between.
absl::Status AdminService::Remove(const std::string& node_id) {
  if (guard_.external() && hub_.Status(node_id).nodes_size() > 0) {
    RETURN_IF_ERROR(trust_.RevokeOthersNode(node_id, base::UnixMillis()));
    hub_.ExpelNode(node_id, absl::PermissionDeniedError(fmt::format(
                                "node {} has been removed; it may come back with a certificate "
                                "that was made after that",
                                node_id)));
    return store_.ForgetNode(node_id);
  }
  const auto revoked = trust_.RevokeNode(node_id, base::UnixMillis());
  if (!revoked.ok()) return revoked.status();
  if (*revoked) {
    hub_.ExpelNode(node_id,
                   absl::PermissionDeniedError(fmt::format(
                       "node {} has been removed, its certificate is revoked; it may come back "
                       "with a new join token (`sluicectl token create --node-id {}`)",
                       node_id, node_id)));
  } else if (!hub_.ForgetNode(node_id)) {
    return absl::FailedPreconditionError(
        fmt::format("node {} is connected or unknown: only a node that has gone, or that was "
                    "enrolled with a join token, can be removed",
                    node_id));
  }
  return store_.ForgetNode(node_id);
}

grpc::Status AdminService::ListAudit(grpc::ServerContext* context,
                                     const v1::ListAuditRequest* request,
                                     v1::ListAuditResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/ListAudit");
  if (!caller.ok()) return ToGrpc(caller.status());
  const auto entries = store_.ListAudit(Limit(request->limit()));
  if (!entries.ok()) return ToGrpc(entries.status());
  for (const v1::AuditEntry& entry : *entries) *response->add_entries() = entry;
  return grpc::Status::OK;
}

grpc::Status AdminService::GetRollout(grpc::ServerContext* context,
                                      const v1::GetRolloutRequest* request, v1::Rollout* response) {
  const auto caller = guard_.Admit(*context, "AdminService/GetRollout");
  if (!caller.ok()) return ToGrpc(caller.status());
  auto rollout = controller_.GetRollout(request->revision());
  if (rollout.ok()) *response = *std::move(rollout);
  return ToGrpc(rollout);
}

grpc::Status AdminService::WatchRollout(grpc::ServerContext* context,
                                        const v1::GetRolloutRequest* request,
                                        grpc::ServerWriter<v1::Rollout>* writer) {
  WatchPermit permit(guard_, *context, "AdminService/WatchRollout");
  if (const absl::Status may = permit.Check(); !may.ok()) return ToGrpc(may);
  const LongCall call(long_calls_, kLongCallsMax);
  if (!call.granted()) return LongCall::Refusal();
  uint64_t seen = 0;
  while (!stopping_ && !context->IsCancelled()) {
    if (const absl::Status may = permit.Check(); !may.ok()) return ToGrpc(may);
    const uint64_t now = hub_.Wait(seen, kWatchPace);
    if (now == seen) continue;
    seen = now;
    const auto rollout = controller_.GetRollout(request->revision());
    if (!rollout.ok()) return ToGrpc(rollout.status());
    if (!writer->Write(*rollout) || !rollout::IsActive(rollout->state())) break;
    std::this_thread::sleep_for(kWatchPace);
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::ActOnRollout(grpc::ServerContext* context,
                                        const v1::RolloutActionRequest* request,
                                        v1::Rollout* response) {
  const auto caller = guard_.Admit(*context, "AdminService/ActOnRollout");
  if (!caller.ok()) return ToGrpc(caller.status());
  auto rollout = controller_.ActOnRollout(*request, {.author = caller->Author(request->author()),
                                                     .role = caller->RoleText(),
                                                     .peer = caller->peer});
  if (rollout.ok()) *response = *std::move(rollout);
  return ToGrpc(rollout);
}

grpc::Status AdminService::GetDiagnostics(grpc::ServerContext* context,
                                          const v1::GetDiagnosticsRequest*,
                                          v1::GetDiagnosticsResponse* response) {
  const auto caller = guard_.Admit(*context, "AdminService/GetDiagnostics");
  if (!caller.ok()) return ToGrpc(caller.status());
  response->set_build(base::BuildInfo());
  utsname system{};
  if (::uname(&system) == 0) {
    response->set_system(fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  }
  response->set_metrics_text(metrics_.Text());
  // Some of these lines are rows of the audit log: who was refused what, and from where.
  if (caller->role < trust::RoleFor(trust::Access::kOperator)) {
    response->set_recent_problems_withheld(true);
    return grpc::Status::OK;
  }
  for (const std::string& line : base::RecentLogProblems()) response->add_recent_problems(line);
  return grpc::Status::OK;
}

}  // namespace sluice::admin
