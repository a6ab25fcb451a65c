#include "controlplane/trust/enrollment_service.h"

#include <fmt/format.h>

#include <array>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/trust/signing_request.h"
#include "common/trust/token_text.h"

namespace sluice::trust {
namespace {

constexpr char kEnroll[] = "EnrollmentService/Enroll";
constexpr char kRenew[] = "EnrollmentService/Renew";

absl::Status NoAuthority() {
  return absl::FailedPreconditionError(
      "this controller issues no certificates (it was started with --insecure, or with --tls-ca): "
      "start the proxy with --insecure, or with --tls-cert, --tls-key and --tls-ca");
}

// Eight bytes that no other enrolment has; the first keeps a serial number positive and whole.
std::string NewEnrolment() {
  std::array<char, 8> bytes;
  base::FillRandom(bytes.data(), bytes.size());
  bytes[0] = static_cast<char>((bytes[0] & 0x3f) | 0x40);
  return base::HexEncode({bytes.data(), bytes.size()});
}

std::string NewTokenRemedy(const std::string& node_id) {
  return fmt::format("make a new one with `sluicectl token create --node-id {}`", node_id);
}

absl::Status CheckToken(const store::StoredToken& token, const TokenText& shown,
                        const std::string& node_id, int64_t now_unix_ms) {
  // The same words for an unknown id and a wrong secret.
  if (!token.info.role().empty() || !SameHash(token.secret_sha256, HashOfSecret(shown.secret))) {
    return absl::UnauthenticatedError("the join token is not known here; " +
                                      NewTokenRemedy(node_id));
  }
  const std::string& bound = token.info.node_id();
  if (!bound.empty() && bound != node_id) {
    return absl::PermissionDeniedError(fmt::format(
        "the join token is for node {}, and this proxy calls itself {}: start it with --node-id "
        "{}, or {}",
        bound, node_id, bound, NewTokenRemedy(node_id)));
  }
  if (token.info.revoked_unix_ms() != 0) {
    return absl::PermissionDeniedError("the join token has been revoked; " +
                                       NewTokenRemedy(node_id));
  }
  if (token.info.expires_unix_ms() < static_cast<uint64_t>(now_unix_ms)) {
    return absl::PermissionDeniedError("the join token has expired; " + NewTokenRemedy(node_id));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::Status EnrollmentService::Enroll(grpc::ServerContext* context,
                                       const v1::EnrollRequest* request,
                                       v1::EnrollResponse* response) {
  const auto caller = guard_.Admit(*context, kEnroll);
  if (!caller.ok()) return ToGrpc(caller.status());
  if (authority_ == nullptr) return ToGrpc(NoAuthority());
  if (!guard_.AllowsAttempt(caller->peer)) {
    return ToGrpc(
        guard_.Refuse(*caller, kEnroll, Refusal::kTooManyFailures, Guard::TooManyFailures()));
  }
  const absl::Status status = Join(*caller, *request, response);
  if (absl::IsInternal(status) || status.ok()) return ToGrpc(status);
  return ToGrpc(guard_.Refuse(*caller, kEnroll, Refusal::kBadCredential, status));
}

absl::Status EnrollmentService::Join(const Caller& caller, const v1::EnrollRequest& request,
                                     v1::EnrollResponse* response) {
  const std::string& node_id = request.node_id();
  if (!IsIdentityName(node_id)) {
    return absl::InvalidArgumentError(
        "a node id has 1 to 128 printable ASCII characters without spaces: set --node-id");
  }
  ASSIGN_OR_RETURN(const TokenText shown, ParseToken(request.token()));
  if (shown.kind != TokenText::Kind::kJoin) {
    return absl::UnauthenticatedError(
        "this is an operator's token; a proxy joins with one of `sluicectl token create`");
  }
  const std::lock_guard lock(joining_);
  const int64_t now = base::UnixMillis();
  const auto token = trust_.FindToken(shown.id);
  if (absl::IsNotFound(token.status())) {
    return absl::UnauthenticatedError("the join token is not known here; " +
                                      NewTokenRemedy(node_id));
  }
  RETURN_IF_ERROR(token.status());
  RETURN_IF_ERROR(CheckToken(*token, shown, node_id, now));
  // Only now: strangers' keys are not worth our time.
  ASSIGN_OR_RETURN(const KeyPtr key, KeyOfSigningRequest(request.signing_request_pem()));
  const std::string key_sha256 = FingerprintOfKey(key.get());
  auto known = trust_.FindNode(node_id);
  if (!known.ok() && !absl::IsNotFound(known.status())) return known.status();
  if (token->info.used_unix_ms() != 0) {
    // The answer was lost on its way: it may ask again, for the same key, as long as it has not
    // been enrolled with another token since.
    if (token->used_key != key_sha256 || token->info.used_by() != node_id || !known.ok() ||
        known->token != shown.id || known->revoked_unix_ms != 0) {
      return absl::PermissionDeniedError(
          fmt::format("the join token has been used already, by node {}; {}", token->info.used_by(),
                      NewTokenRemedy(node_id)));
    }
    return Certify(*known, key.get(), now, response);
  }
  if (known.ok() && known->revoked_unix_ms == 0 && token->info.node_id().empty()) {
    return absl::PermissionDeniedError(fmt::format(
        "node {} is enrolled already, and this token is for no node in particular: give the proxy "
        "another --node-id, or {}",
        node_id, NewTokenRemedy(node_id)));
  }
  store::EnrolledNode node{
      .node_id = node_id, .enrolment = NewEnrolment(), .token = shown.id, .labels = {}};
  node.enrolled_unix_ms = now;
  *node.labels.mutable_labels() = token->info.labels();
  RETURN_IF_ERROR(Certify(node, key.get(), now, response));
  RETURN_IF_ERROR(trust_.Enroll(key_sha256, node));
  Audit(caller, node_id, fmt::format("with token {} of {}", shown.id, token->info.created_by()));
  base::LogInfo("node {} at {} has enrolled", node_id, caller.peer);
  return absl::OkStatus();
}

grpc::Status EnrollmentService::Renew(grpc::ServerContext* context, const v1::RenewRequest* request,
                                      v1::EnrollResponse* response) {
  const auto caller = guard_.Admit(*context, kRenew);
  if (!caller.ok()) return ToGrpc(caller.status());
  if (authority_ == nullptr) return ToGrpc(NoAuthority());
  const auto key = KeyOfSigningRequest(request->signing_request_pem());
  if (!key.ok()) return ToGrpc(key.status());
  // No enrolment comes in between: a certificate of the last one must not bring one of the next.
  const std::lock_guard lock(joining_);
  if (const absl::Status status = guard_.CheckNode(*caller); !status.ok()) {
    return ToGrpc(guard_.Refuse(*caller, kRenew, Refusal::kRevoked, status));
  }
  const auto node = trust_.FindNode(caller->name);
  if (!node.ok()) return ToGrpc(node.status());
  const int64_t now = base::UnixMillis();
  if (const absl::Status status = Certify(*node, key->get(), now, response); !status.ok()) {
    return ToGrpc(status);
  }
  return ToGrpc(trust_.NoteRenewal(caller->name, now));
}

absl::Status EnrollmentService::Certify(const store::EnrolledNode& node, EVP_PKEY* key,
                                        int64_t now_unix_ms, v1::EnrollResponse* response) const {
  ASSIGN_OR_RETURN(std::string certificate,
                   authority_->Issue(key,
                                     {.use = CertificateRequest::Use::kClient,
                                      .common_name = node.node_id,
                                      .dns_names = {},
                                      .ip_addresses = {},
                                      .uris = {NodeUri(node.node_id)},
                                      .lifetime = lifetime_,
                                      .serial_prefix = node.enrolment},
                                     now_unix_ms / 1000));
  response->set_node_id(node.node_id);
  response->set_certificate_pem(std::move(certificate));
  response->set_ca_pem(authority_->certificate_pem());
  *response->mutable_labels() = node.labels.labels();
  return absl::OkStatus();
}

void EnrollmentService::Audit(const Caller& caller, const std::string& node_id,
                              const std::string& detail) {
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(node_id);
  entry.set_role("node");
  entry.set_peer(caller.peer);
  entry.set_action("node enroll");
  entry.set_detail(detail);
  if (const absl::Status status = audit_.Audit(entry); !status.ok()) {
    base::LogError("{}", std::string(status.message()));
  }
}

}  // namespace sluice::trust
