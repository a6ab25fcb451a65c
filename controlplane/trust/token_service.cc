#include "controlplane/trust/token_service.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "common/trust/token_text.h"

namespace sluice::trust {
namespace {

constexpr uint64_t kJoinTtlSeconds = 3600;
constexpr uint64_t kOperatorTtlSeconds = uint64_t{30} * 24 * 3600;
constexpr int kLabelsMax = 64;
constexpr size_t kLabelBytesMax = 256;

std::string_view StateOf(const v1::Token& token, uint64_t now_unix_ms) {
  if (token.revoked_unix_ms() != 0) return "revoked";
  if (token.role().empty() && token.used_unix_ms() != 0) return "used";
  return token.expires_unix_ms() < now_unix_ms ? "expired" : "usable";
}

std::string Describe(const v1::Token& token) {
  if (!token.role().empty()) {
    return fmt::format("{}: {} for {}", token.id(), token.role(), token.name());
  }
  return fmt::format("{}: to join{}", token.id(),
                     token.node_id().empty() ? "" : " as node " + token.node_id());
}

}  // namespace

absl::Status TokenService::Check(const v1::CreateTokenRequest& request) const {
  if (request.ttl_seconds() > kTtlSecondsMax) {
    return absl::InvalidArgumentError("--ttl: at most ten years");
  }
  if (guard_.open()) {
    return absl::FailedPreconditionError(
        "this controller was started with --insecure, where tokens mean nothing: start it without");
  }
  if (!request.role().empty()) {
    if (!RoleOf(request.role()).has_value()) {
      return absl::InvalidArgumentError("--role: one of viewer, operator, admin");
    }
    if (!request.node_id().empty() || request.labels_size() > 0) {
      return absl::InvalidArgumentError(
          "--role makes an operator's token: a node id and labels "
          "are for join tokens");
    }
    if (!IsIdentityName(request.name())) {
      return absl::InvalidArgumentError(
          "--name: 1 to 128 printable ASCII characters without spaces, such as ann@example.com");
    }
    return absl::OkStatus();
  }
  if (authority_ == nullptr) {
    return absl::FailedPreconditionError(
        "this controller takes the certificates of an external CA (--tls-ca): have it issue the "
        "proxy's, join tokens are not needed");
  }
  if (!request.name().empty()) {
    return absl::InvalidArgumentError("--name is for operators' tokens: give --role too");
  }
  if (!request.node_id().empty() && !IsIdentityName(request.node_id())) {
    return absl::InvalidArgumentError(
        "--node-id: 1 to 128 printable ASCII characters without spaces");
  }
  if (request.labels_size() > kLabelsMax) return absl::InvalidArgumentError("too many labels");
  for (const auto& [key, value] : request.labels()) {
    if (key.empty() || key.size() + value.size() > kLabelBytesMax) {
      return absl::InvalidArgumentError(
          fmt::format("a label has a name, and at most {} bytes in all", kLabelBytesMax));
    }
  }
  return absl::OkStatus();
}

grpc::Status TokenService::CreateToken(grpc::ServerContext* context,
                                       const v1::CreateTokenRequest* request,
                                       v1::CreateTokenResponse* response) {
  const auto caller = guard_.Admit(*context, "TokenService/CreateToken");
  if (!caller.ok()) return ToGrpc(caller.status());
  if (const absl::Status status = Check(*request); !status.ok()) return ToGrpc(status);
  const bool joins = request->role().empty();
  const TokenText text = joins ? MakeToken(TokenText::Kind::kJoin, authority_->fingerprint())
                               : MakeToken(TokenText::Kind::kOperator, "");
  const int64_t now = base::UnixMillis();
  const uint64_t ttl_seconds = request->ttl_seconds() != 0 ? request->ttl_seconds()
                               : joins                     ? kJoinTtlSeconds
                                                           : kOperatorTtlSeconds;
  store::StoredToken token{.info = {}, .secret_sha256 = HashOfSecret(text.secret), .used_key = ""};
  v1::Token& info = token.info;
  info.set_id(text.id);
  info.set_role(request->role());
  info.set_name(request->name());
  info.set_node_id(request->node_id());
  *info.mutable_labels() = request->labels();
  info.set_created_by(caller->Author(""));
  info.set_created_unix_ms(static_cast<uint64_t>(now));
  info.set_expires_unix_ms(static_cast<uint64_t>(now) + ttl_seconds * 1000);
  if (const absl::Status status = trust_.AddToken(token, now); !status.ok()) return ToGrpc(status);
  if (const absl::Status status = Audit(*caller, "token create", Describe(info)); !status.ok()) {
    return ToGrpc(status);
  }
  response->set_token(FormatToken(text));
  info.set_state(std::string(StateOf(info, static_cast<uint64_t>(now))));
  *response->mutable_info() = std::move(info);
  return grpc::Status::OK;
}

grpc::Status TokenService::ListTokens(grpc::ServerContext* context, const v1::ListTokensRequest*,
                                      v1::ListTokensResponse* response) {
  const auto caller = guard_.Admit(*context, "TokenService/ListTokens");
  if (!caller.ok()) return ToGrpc(caller.status());
  auto tokens = trust_.Tokens();
  if (!tokens.ok()) return ToGrpc(tokens.status());
  const auto now = static_cast<uint64_t>(base::UnixMillis());
  for (store::StoredToken& token : *tokens) {
    token.info.set_state(std::string(StateOf(token.info, now)));
    *response->add_tokens() = std::move(token.info);
  }
  return grpc::Status::OK;
}

grpc::Status TokenService::RevokeToken(grpc::ServerContext* context,
                                       const v1::RevokeTokenRequest* request,
                                       v1::RevokeTokenResponse*) {
  const auto caller = guard_.Admit(*context, "TokenService/RevokeToken");
  if (!caller.ok()) return ToGrpc(caller.status());
  const auto token = trust_.FindToken(request->id());
  if (!token.ok()) return ToGrpc(token.status());
  const absl::Status status = trust_.RevokeToken(request->id(), base::UnixMillis());
  if (!status.ok()) return ToGrpc(status);
  return ToGrpc(Audit(*caller, "token revoke", Describe(token->info)));
}

absl::Status TokenService::Audit(const Caller& caller, const std::string& action,
                                 const std::string& detail) {
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(caller.Author(""));
  if (!guard_.open()) entry.set_role(std::string(NameOf(caller.role)));
  entry.set_peer(caller.peer);
  entry.set_action(action);
  entry.set_detail(detail);
  return audit_.Audit(entry);
}

}  // namespace sluice::trust
