// Tokens and enrolled nodes, in the file of the version store.
//
// Thread-safe. A write that returned OK survives kill -9. Of a token's secret only the hash is
// kept.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/store/database.h"
#include "sluice/v1/token_service.pb.h"

namespace sluice::store {

struct StoredToken {
  v1::Token info;             // Without its state.
  std::string secret_sha256;  // Raw.
  std::string used_key;       // SHA-256 of the public key that was enrolled with it; empty: unused.
};

struct EnrolledNode {
  std::string node_id;
  // The certificates of one enrolment have it in their serial numbers; those of an earlier one
  // are worth nothing any more.
  std::string enrolment;
  std::string token;  // Its id.
  v1::Labels labels;
  int64_t enrolled_unix_ms = 0, renewed_unix_ms = 0;
  int64_t revoked_unix_ms = 0;  // 0: it is trusted.
};

class TrustStore {
 public:
  // Beyond it no token is made until some are revoked or have expired.
  static constexpr int kTokensMax = 10'000;
  // Tokens that are of no use any more are forgotten after so long.
  static constexpr int64_t kSpentKeptMs = int64_t{30} * 24 * 3600 * 1000;

  // `directory` is that of a VersionStore, which must be open: it holds the lock. `journal`: its.
  static absl::StatusOr<std::unique_ptr<TrustStore>> Open(const std::string& directory,
                                                          Journal* journal = nullptr);

  absl::Status AddToken(const StoredToken& token, int64_t now_unix_ms);
  // kNotFound, as Revoke.
  absl::StatusOr<StoredToken> FindToken(const std::string& id) const;
  absl::StatusOr<std::vector<StoredToken>> Tokens() const;  // Newest first.
  absl::Status RevokeToken(const std::string& id, int64_t now_unix_ms);
  absl::Status NoteTokenUse(const std::string& id, int64_t now_unix_ms);

  // Spends the node's token and enrols it anew, both or neither. kFailedPrecondition if the token
  // has been used or revoked meanwhile.
  absl::Status Enroll(const std::string& key_sha256, const EnrolledNode& node);
  absl::StatusOr<EnrolledNode> FindNode(const std::string& node_id) const;  // kNotFound.
  absl::Status NoteRenewal(const std::string& node_id, int64_t now_unix_ms);
  // Of a node that somebody else certifies, whatever is known of it.
  absl::Status RevokeOthersNode(const std::string& node_id, int64_t now_unix_ms);
  // False: it is not enrolled, or was revoked before.
  absl::StatusOr<bool> RevokeNode(const std::string& node_id, int64_t now_unix_ms);

 private:
  explicit TrustStore(Database database) : database_(std::move(database)) {}
  absl::StatusOr<std::vector<StoredToken>> Select(const std::string& id) const;

  mutable std::mutex mutex_;  // Guards database_.
  mutable Database database_;
};

}  // namespace sluice::store
