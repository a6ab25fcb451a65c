// Who is calling, and may they? Every handler asks here first.
//
// What a controller passes on is judged by the caller it speaks for (controlplane/relay), and only
// a controller's word counts for that.
//
// Thread-safe. A refusal is counted, logged and, unless too many come, in the audit log. Bearer
// tokens and join tokens from an address that failed too often are not even looked at; whoever has
// a certificate is not touched by that.
#pragma once

#include <grpcpp/grpcpp.h>

#include <array>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/trust/identity.h"
#include "controlplane/store/trust_store.h"
#include "controlplane/store/version_store.h"
#include "controlplane/trust/failure_limiter.h"
#include "controlplane/trust/roles.h"

namespace sluice::trust {

struct Caller {
  enum class Kind : uint8_t { kAnyone, kNode, kOperator };
  Kind kind = Kind::kAnyone;
  std::string name;    // As proven; empty: nobody asked (--insecure), or a joining proxy.
  std::string serial;  // Of a node's certificate, as what follows.
  int64_t not_before_unix = 0;
  Role role = Role::kNone;
  std::string peer;  // Its address, as gRPC writes it.

  // What versions and audit rows name: proven, or where nothing is proven what it says itself.
  std::string Author(const std::string& claimed) const;
  // Of an operator, for the audit log; empty where nobody asked who calls.
  std::string RoleText() const;
};

enum class Refusal : uint8_t { kNoCredential, kBadCredential, kRole, kRevoked, kTooManyFailures };
inline constexpr std::array kRefusals = {Refusal::kNoCredential, Refusal::kBadCredential,
                                         Refusal::kRole, Refusal::kRevoked,
                                         Refusal::kTooManyFailures};
std::string_view NameOf(Refusal refusal);

class Guard {
 public:
  struct Options {
    bool open = false;  // --insecure: everybody may do everything, under the name they give.
    Authority authority = Authority::kOwn;
  };

  // All must outlive it.
  Guard(Options options, store::TrustStore& trust, store::VersionStore& audit)
      : options_(options), trust_(trust), audit_(audit) {}

  // `method` as in Rules(). Not OK: what the caller is to be told.
  absl::StatusOr<Caller> Admit(const grpc::ServerContextBase& context, std::string_view method);

  // Is a node's certificate still worth something? Also asked after it has been let in, when it may
  // have been revoked meanwhile. The message names the remedy.
  absl::Status CheckNode(const Caller& node) const;

  // For who proves itself by what it sends: false before, if its address failed too often; and what
  // to do when it fails. `refusal` is told, counted and returned.
  bool AllowsAttempt(const std::string& peer);
  absl::Status Refuse(const Caller& caller, std::string_view method, Refusal refusal,
                      const absl::Status& status);
  static absl::Status TooManyFailures();

  // What is asked of the store when a node is let in; nothing where it is not enrolled by us.
  absl::StatusOr<v1::Labels> LabelsOf(const std::string& node_id) const;

  bool open() const { return options_.open; }
  // Certificates of nodes are somebody else's: revoking one is refusing all that were made before.
  bool external() const { return !open() && options_.authority == Authority::kExternal; }
  uint64_t refused(Refusal refusal) const;

 private:
  // Who calls, whether it came here itself or through another controller.
  struct Origin {
    std::string peer;             // As gRPC writes it.
    std::string certificate_pem;  // Empty: it came without one.
  };
  Origin OriginOf(const grpc::ServerContextBase& context) const;
  bool IsController(const std::string& certificate_pem) const;
  absl::StatusOr<Caller> Identify(const grpc::ServerContextBase& context, std::string_view method,
                                  const std::string& certificate_pem, Caller caller);
  absl::StatusOr<Caller> FromToken(std::string_view header, std::string_view method, Caller caller);
  absl::Status FindOperator(std::string_view token, Caller* caller) const;
  absl::Status CheckAccess(const Caller& caller, const Rule& rule);
  absl::Status CheckExternal(const Caller& node) const;

  const Options options_;
  store::TrustStore& trust_;
  store::VersionStore& audit_;

  mutable std::mutex mutex_;  // Guards what follows.
  FailureLimiter attempts_{/*burst=*/10, /*forgiven_per_second=*/1};
  // Of the audit log: by name, of strangers by address and in all.
  FailureLimiter rows_{/*burst=*/20, /*forgiven_per_second=*/1.0 / 60};
  std::array<uint64_t, kRefusals.size()> refused_{};
};

inline grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

}  // namespace sluice::trust
