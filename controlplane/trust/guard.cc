#include "controlplane/trust/guard.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/trust/token_text.h"
#include "controlplane/relay/forwarded.h"

namespace sluice::trust {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr char kStrangers[] = "*";  // No address is written like this.
constexpr int64_t kUseNotedEveryMs = 60'000;

std::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// PEM; empty: it came without one.
std::string CertificateOf(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return "";
  const auto pem = auth->FindPropertyValues("x509_pem_cert");
  return pem.empty() ? "" : std::string(View(pem.front()));
}

std::string DescribeCaller(const Caller& caller) {
  switch (caller.kind) {
    case Caller::Kind::kAnyone:
      return "a stranger";
    case Caller::Kind::kNode:
      return fmt::format("node {}", caller.name);
    case Caller::Kind::kOperator:
      return fmt::format("{} ({})", caller.name, NameOf(caller.role));
  }
  __builtin_unreachable();
}

}  // namespace

std::string Caller::Author(const std::string& claimed) const {
  if (!name.empty()) return name;
  return claimed.empty() ? "unknown" : claimed;
}

std::string Caller::RoleText() const {
  return kind == Kind::kOperator ? std::string(NameOf(role)) : "";
}

std::string_view NameOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNoCredential:
      return "no_credential";
    case Refusal::kBadCredential:
      return "bad_credential";
    case Refusal::kRole:
      return "role";
    case Refusal::kRevoked:
      return "revoked";
    case Refusal::kTooManyFailures:
      return "too_many_failures";
  }
  __builtin_unreachable();
}

absl::Status Guard::TooManyFailures() {
  return absl::ResourceExhaustedError(
      "too many failed attempts from this address: wait a few seconds, then try again with the "
      "right token");
}

bool Guard::IsController(const std::string& certificate_pem) const {
  const auto identity = IdentityOf(certificate_pem, options_.authority);
  return identity.ok() && identity->kind == Identity::Kind::kController &&
         identity->not_after_unix >= base::UnixMillis() / 1000;
}

Guard::Origin Guard::OriginOf(const grpc::ServerContextBase& context) const {
  Origin origin{.peer = context.peer(), .certificate_pem = CertificateOf(context)};
  const auto& metadata = context.client_metadata();
  const auto peer = metadata.find(relay::kPeerKey);
  if (peer == metadata.end()) return origin;
  // With --insecure whoever is on this machine may say anything anyway.
  if (!options_.open && !IsController(origin.certificate_pem)) return origin;
  origin.peer = std::string(View(peer->second));
  const auto certificate = metadata.find(relay::kCertificateKey);
  origin.certificate_pem =
      certificate == metadata.end() ? "" : std::string(View(certificate->second));
  return origin;
}

absl::StatusOr<Caller> Guard::Admit(const grpc::ServerContextBase& context,
                                    std::string_view method) {
  const Origin origin = OriginOf(context);
  Caller caller{.peer = origin.peer};
  const Rule* rule = FindRule(method);
  if (rule == nullptr) {
    return Refuse(caller, method, Refusal::kRole,
                  absl::PermissionDeniedError(fmt::format("nobody may call {}", method)));
  }
  if (options_.open) {
    caller.role = Role::kAdmin;
    return caller;
  }
  if (rule->least == Access::kAnyone) return caller;
  ASSIGN_OR_RETURN(caller, Identify(context, method, origin.certificate_pem, std::move(caller)));
  RETURN_IF_ERROR(CheckAccess(caller, *rule));
  return caller;
}

absl::StatusOr<Caller> Guard::Identify(const grpc::ServerContextBase& context,
                                       std::string_view method, const std::string& pem,
                                       Caller caller) {
  const auto header = context.client_metadata().find("authorization");
  if (header != context.client_metadata().end()) {
    return FromToken(View(header->second), method, std::move(caller));
  }
  if (pem.empty()) {
    return Refuse(caller, method, Refusal::kNoCredential,
                  absl::UnauthenticatedError(
                      "this controller asks for credentials: sluicectl needs a client certificate "
                      "(--tls-cert, --tls-key) or a token (--token-file), a proxy a join token "
                      "(--join-token-file)"));
  }
  const auto identity = IdentityOf(pem, options_.authority);
  if (!identity.ok()) {
    return Refuse(caller, method, Refusal::kBadCredential,
                  absl::UnauthenticatedError(std::string(identity.status().message())));
  }
  if (identity->kind == Identity::Kind::kController) {
    return Refuse(caller, method, Refusal::kRole,
                  absl::PermissionDeniedError(
                      "a controller passes on what others ask, and asks nothing itself"));
  }
  caller.kind =
      identity->kind == Identity::Kind::kNode ? Caller::Kind::kNode : Caller::Kind::kOperator;
  caller.name = identity->name;
  caller.serial = identity->serial;
  caller.not_before_unix = identity->not_before_unix;
  caller.role = identity->role;
  // A connection may outlive the certificate it was opened with.
  if (identity->not_after_unix < base::UnixMillis() / 1000) {
    return Refuse(caller, method, Refusal::kBadCredential,
                  absl::UnauthenticatedError(
                      fmt::format("the certificate of {} has expired", DescribeCaller(caller))));
  }
  return caller;
}

absl::StatusOr<Caller> Guard::FromToken(std::string_view header, std::string_view method,
                                        Caller caller) {
  if (!AllowsAttempt(caller.peer)) {
    return Refuse(caller, method, Refusal::kTooManyFailures, TooManyFailures());
  }
  if (!header.starts_with(kBearer)) {
    return Refuse(caller, method, Refusal::kBadCredential,
                  absl::UnauthenticatedError("the authorization must be a bearer token"));
  }
  const absl::Status found = FindOperator(header.substr(kBearer.size()), &caller);
  if (found.ok()) return caller;
  if (!absl::IsUnauthenticated(found)) return found;  // Our fault: the store cannot be read.
  return Refuse(caller, method, Refusal::kBadCredential, found);
}

absl::Status Guard::FindOperator(std::string_view text, Caller* caller) const {
  const auto token = ParseToken(text);
  if (!token.ok()) return absl::UnauthenticatedError(std::string(token.status().message()));
  if (token->kind != TokenText::Kind::kOperator) {
    return absl::UnauthenticatedError(
        "this is a join token, for a proxy; an operator's is made with `sluicectl token create "
        "--role ROLE`");
  }
  const auto stored = trust_.FindToken(token->id);
  if (!stored.ok() && !absl::IsNotFound(stored.status())) return stored.status();
  // The same words for an unknown id and a wrong secret.
  if (!stored.ok() || stored->info.role().empty() ||
      !SameHash(stored->secret_sha256, HashOfSecret(token->secret))) {
    return absl::UnauthenticatedError("the token is not known here");
  }
  const int64_t now = base::UnixMillis();
  const bool revoked = stored->info.revoked_unix_ms() != 0;
  if (revoked || stored->info.expires_unix_ms() < static_cast<uint64_t>(now)) {
    return absl::UnauthenticatedError(fmt::format(
        "the token {} {}: ask an admin for a new one (`sluicectl token create --role {}`)",
        token->id, revoked ? "has been revoked" : "has expired", stored->info.role()));
  }
  const auto role = RoleOf(stored->info.role());
  if (!role.has_value()) return absl::UnauthenticatedError("the token has an unknown role");
  caller->kind = Caller::Kind::kOperator;
  caller->name = stored->info.name();
  caller->role = *role;
  if (now - static_cast<int64_t>(stored->info.used_unix_ms()) > kUseNotedEveryMs) {
    // A full disk must not lock out who could mend it.
    if (const absl::Status noted = trust_.NoteTokenUse(token->id, now); !noted.ok()) {
      base::LogError("{}", std::string(noted.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status Guard::CheckAccess(const Caller& caller, const Rule& rule) {
  const bool is_node = caller.kind == Caller::Kind::kNode;
  if (rule.least == Access::kNode) {
    if (!is_node) {
      return Refuse(caller, rule.method, Refusal::kRole,
                    absl::PermissionDeniedError(fmt::format(
                        "{} is an operator: only a proxy, with a node's certificate, may do this",
                        caller.name)));
    }
    const absl::Status status = CheckNode(caller);
    return status.ok() ? status : Refuse(caller, rule.method, Refusal::kRevoked, status);
  }
  const Role least = RoleFor(rule.least);
  if (!is_node && caller.role >= least) return absl::OkStatus();
  return Refuse(caller, rule.method, Refusal::kRole,
                absl::PermissionDeniedError(
                    fmt::format("{} may not do this: it needs the role {} or more; an admin can "
                                "make a token for it (`sluicectl token create --role {}`)",
                                DescribeCaller(caller), NameOf(least), NameOf(least))));
}

absl::Status Guard::CheckExternal(const Caller& caller) const {
  const auto node = trust_.FindNode(caller.name);
  if (absl::IsNotFound(node.status())) return absl::OkStatus();
  RETURN_IF_ERROR(node.status());
  if (caller.not_before_unix * 1000 > node->revoked_unix_ms) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format(
      "node {} has been removed: certificates that were made before are refused, its CA can make a "
      "new one",
      caller.name));
}

absl::Status Guard::CheckNode(const Caller& caller) const {
  if (options_.open) return absl::OkStatus();
  if (external()) return CheckExternal(caller);
  const std::string& node_id = caller.name;
  const auto remedy = fmt::format(
      "enrol it again with a new join token (`sluicectl token create --node-id {}`, then "
      "sluice-proxy --join-token-file FILE)",
      node_id);
  const auto node = trust_.FindNode(node_id);
  if (absl::IsNotFound(node.status())) {
    return absl::PermissionDeniedError(
        fmt::format("node {} is not enrolled at this controller: {}", node_id, remedy));
  }
  RETURN_IF_ERROR(node.status());
  if (node->revoked_unix_ms != 0) {
    return absl::PermissionDeniedError(
        fmt::format("node {} has been removed, its certificate is revoked: {}", node_id, remedy));
  }
  if (!caller.serial.starts_with(node->enrolment)) {
    return absl::PermissionDeniedError(fmt::format(
        "node {} has been enrolled anew since this certificate was made, perhaps by another "
        "proxy: give this one another --node-id, or {}",
        node_id, remedy));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Labels> Guard::LabelsOf(const std::string& node_id) const {
  if (options_.open || options_.authority == Authority::kExternal) return v1::Labels();
  ASSIGN_OR_RETURN(store::EnrolledNode node, trust_.FindNode(node_id));
  return std::move(node.labels);
}

bool Guard::AllowsAttempt(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  return attempts_.Allows(AddressOfPeer(peer), base::MonotonicMillis());
}

absl::Status Guard::Refuse(const Caller& caller, std::string_view method, Refusal refusal,
                           const absl::Status& status) {
  const std::string address = AddressOfPeer(caller.peer);
  const int64_t now = base::MonotonicMillis();
  {
    const std::lock_guard lock(mutex_);
    ++refused_[static_cast<size_t>(refusal)];
    // Who has proven a name guesses at nothing: a proxy with the wrong --node-id harms only itself.
    const bool stranger = caller.name.empty();
    if (refusal == Refusal::kBadCredential && stranger) attempts_.NoteFailure(address, now);
    // Nobody must be able to push the log's older rows out.
    const std::string who = stranger ? address : "name " + caller.name;
    if (!rows_.Allows(who, now) || (stranger && !rows_.Allows(kStrangers, now))) return status;
    rows_.NoteFailure(who, now);
    if (stranger) rows_.NoteFailure(kStrangers, now);
  }
  base::LogWarn("{} at {} is refused {}: {}", DescribeCaller(caller), caller.peer, method,
                std::string(status.message()));
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(caller.name.empty() ? "unknown" : caller.name);
  if (caller.kind == Caller::Kind::kOperator) entry.set_role(std::string(NameOf(caller.role)));
  if (caller.kind == Caller::Kind::kNode) entry.set_role("node");
  entry.set_peer(caller.peer);
  entry.set_action(std::string(method.substr(method.find('/') + 1)));
  entry.set_detail(std::string(status.message()));
  entry.set_refused(true);
  if (const absl::Status kept = audit_.Audit(entry); !kept.ok()) {
    base::LogError("{}", std::string(kept.message()));
  }
  return status;
}

uint64_t Guard::refused(Refusal refusal) const {
  const std::lock_guard lock(mutex_);
  return refused_[static_cast<size_t>(refusal)];
}

}  // namespace sluice::trust
