#include "controlplane/store/trust_store.h"

#include <fmt/format.h>

#include "common/base/status_macros.h"
#include "controlplane/store/data_folder.h"

namespace sluice::store {
namespace {

absl::Status NoToken(const std::string& id) {
  return absl::NotFoundError(
      fmt::format("there is no token {}; `sluicectl token list` lists them", id.substr(0, 64)));
}

int64_t Signed(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

absl::StatusOr<std::unique_ptr<TrustStore>> TrustStore::Open(const std::string& directory,
                                                             Journal* journal) {
  ASSIGN_OR_RETURN(Database database,
                   Database::Open(fmt::format("{}/{}", directory, kDatabaseName)));
  database.SetJournal(journal);
  return std::unique_ptr<TrustStore>(new TrustStore(std::move(database)));
}

absl::Status TrustStore::AddToken(const StoredToken& token, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(database_
                      .Prepare("DELETE FROM token WHERE expires_ms < ?1 "
                               "OR (revoked_ms > 0 AND revoked_ms < ?1) "
                               "OR (role = '' AND used_ms > 0 AND used_ms < ?1)")
                      .Bind(now_unix_ms - kSpentKeptMs)
                      .Run());
  {
    Statement count = database_.Prepare("SELECT count(*) FROM token");
    RETURN_IF_ERROR(count.Step().status());
    if (count.Int(0) >= kTokensMax) {
      return absl::ResourceExhaustedError(
          fmt::format("there are {} tokens already; the oldest go when they have been of no use "
                      "for 30 days",
                      kTokensMax));
    }
  }
  v1::Labels labels;
  *labels.mutable_labels() = token.info.labels();
  RETURN_IF_ERROR(database_
                      .Prepare("INSERT INTO token (id, secret_sha256, role, name, node_id, labels, "
                               "created_by, created_ms, expires_ms) "
                               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                      .Bind(token.info.id())
                      .BindBlob(token.secret_sha256)
                      .Bind(token.info.role())
                      .Bind(token.info.name())
                      .Bind(token.info.node_id())
                      .BindBlob(labels.SerializeAsString())
                      .Bind(token.info.created_by())
                      .Bind(Signed(token.info.created_unix_ms()))
                      .Bind(Signed(token.info.expires_unix_ms()))
                      .Run());
  return transaction.Commit();
}

// All of them for an empty id.
absl::StatusOr<std::vector<StoredToken>> TrustStore::Select(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      fmt::format("SELECT id, secret_sha256, role, name, node_id, labels, created_by, created_ms, "
                  "expires_ms, used_ms, used_by, used_key, revoked_ms FROM token {} "
                  "ORDER BY created_ms DESC, id",
                  id.empty() ? "" : "WHERE id = ?"));
  if (!id.empty()) rows.Bind(id);
  std::vector<StoredToken> tokens;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return tokens;
    StoredToken& token = tokens.emplace_back();
    token.info.set_id(rows.Text(0));
    token.secret_sha256 = rows.Text(1);
    token.info.set_role(rows.Text(2));
    token.info.set_name(rows.Text(3));
    token.info.set_node_id(rows.Text(4));
    v1::Labels labels;
    if (!labels.ParseFromString(rows.Text(5))) {
      return absl::DataLossError(fmt::format("token {} is damaged in the store", token.info.id()));
    }
    *token.info.mutable_labels() = labels.labels();
    token.info.set_created_by(rows.Text(6));
    token.info.set_created_unix_ms(static_cast<uint64_t>(rows.Int(7)));
    token.info.set_expires_unix_ms(static_cast<uint64_t>(rows.Int(8)));
    token.info.set_used_unix_ms(static_cast<uint64_t>(rows.Int(9)));
    token.info.set_used_by(rows.Text(10));
    token.used_key = rows.Text(11);
    token.info.set_revoked_unix_ms(static_cast<uint64_t>(rows.Int(12)));
  }
}

absl::StatusOr<StoredToken> TrustStore::FindToken(const std::string& id) const {
  if (id.empty()) return NoToken(id);
  ASSIGN_OR_RETURN(std::vector<StoredToken> tokens, Select(id));
  if (tokens.empty()) return NoToken(id);
  return std::move(tokens.front());
}

absl::StatusOr<std::vector<StoredToken>> TrustStore::Tokens() const { return Select(""); }

absl::Status TrustStore::RevokeToken(const std::string& id, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&]() -> absl::Status {
    RETURN_IF_ERROR(
        database_
            .Prepare(
                "UPDATE token SET revoked_ms = iif(revoked_ms = 0, ?, revoked_ms) WHERE id = ?")
            .Bind(now_unix_ms)
            .Bind(id)
            .Run());
    return database_.changes() == 0 ? NoToken(id) : absl::OkStatus();
  });
}

absl::Status TrustStore::NoteTokenUse(const std::string& id, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&] {
    return database_.Prepare("UPDATE token SET used_ms = ? WHERE id = ?")
        .Bind(now_unix_ms)
        .Bind(id)
        .Run();
  });
}

absl::Status TrustStore::Enroll(const std::string& key_sha256, const EnrolledNode& node) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(database_
                      .Prepare("UPDATE token SET used_ms = ?, used_by = ?, used_key = ? "
                               "WHERE id = ? AND used_ms = 0 AND revoked_ms = 0")
                      .Bind(node.enrolled_unix_ms)
                      .Bind(node.node_id)
                      .BindBlob(key_sha256)
                      .Bind(node.token)
                      .Run());
  if (database_.changes() != 1) {
    return absl::FailedPreconditionError("the token has been used or revoked meanwhile");
  }
  RETURN_IF_ERROR(database_
                      .Prepare("INSERT OR REPLACE INTO enrolled (node_id, enrolment, token, "
                               "labels, enrolled_ms) VALUES (?, ?, ?, ?, ?)")
                      .Bind(node.node_id)
                      .Bind(node.enrolment)
                      .Bind(node.token)
                      .BindBlob(node.labels.SerializeAsString())
                      .Bind(node.enrolled_unix_ms)
                      .Run());
  return transaction.Commit();
}

absl::StatusOr<EnrolledNode> TrustStore::FindNode(const std::string& node_id) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      "SELECT enrolment, token, labels, enrolled_ms, renewed_ms, revoked_ms FROM enrolled "
      "WHERE node_id = ?");
  ASSIGN_OR_RETURN(const bool row, rows.Bind(node_id).Step());
  if (!row) return absl::NotFoundError(fmt::format("node {} is not enrolled", node_id));
  EnrolledNode node{.node_id = node_id,
                    .enrolment = rows.Text(0),
                    .token = rows.Text(1),
                    .labels = {},
                    .enrolled_unix_ms = rows.Int(3),
                    .renewed_unix_ms = rows.Int(4),
                    .revoked_unix_ms = rows.Int(5)};
  if (!node.labels.ParseFromString(rows.Text(2))) {
    return absl::DataLossError(fmt::format("node {} is damaged in the store", node_id));
  }
  return node;
}

absl::Status TrustStore::NoteRenewal(const std::string& node_id, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&] {
    return database_.Prepare("UPDATE enrolled SET renewed_ms = ? WHERE node_id = ?")
        .Bind(now_unix_ms)
        .Bind(node_id)
        .Run();
  });
}

absl::Status TrustStore::RevokeOthersNode(const std::string& node_id, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&] {
    return database_
        .Prepare(
            "INSERT INTO enrolled (node_id, enrolment, token, labels, enrolled_ms, revoked_ms) "
            "VALUES (?1, '', '', x'', ?2, ?2) ON CONFLICT (node_id) DO UPDATE SET revoked_ms = ?2")
        .Bind(node_id)
        .Bind(now_unix_ms)
        .Run();
  });
}

absl::StatusOr<bool> TrustStore::RevokeNode(const std::string& node_id, int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  bool revoked = false;
  RETURN_IF_ERROR(InTransaction(database_, [&]() -> absl::Status {
    RETURN_IF_ERROR(
        database_.Prepare("UPDATE enrolled SET revoked_ms = ? WHERE node_id = ? AND revoked_ms = 0")
            .Bind(now_unix_ms)
            .Bind(node_id)
            .Run());
    revoked = database_.changes() > 0;
    return absl::OkStatus();
  }));
  return revoked;
}

}  // namespace sluice::store
