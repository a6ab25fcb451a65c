// Of VersionStore, what it keeps of nodes.
#include "common/base/status_macros.h"
#include "controlplane/store/version_store.h"

namespace sluice::store {

absl::Status VersionStore::SeeNode(const std::string& node_id, const std::string& hello,
                                   int64_t now_unix_ms) {
  return SeeNodes({{.node_id = node_id, .last_seen_unix_ms = now_unix_ms, .hello = hello}});
}

absl::Status VersionStore::SeeNodes(const std::vector<KnownNode>& nodes) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  Statement insert = database_.Prepare(
      "INSERT INTO node VALUES (?1, ?2, ?2, ?3) ON CONFLICT (node_id) DO UPDATE SET "
      "last_ms = ?2, hello = ?3");
  for (const KnownNode& node : nodes) {
    RETURN_IF_ERROR(
        insert.Bind(node.node_id).Bind(node.last_seen_unix_ms).BindBlob(node.hello).Run());
  }
  return transaction.Commit();
}

absl::Status VersionStore::ForgetNode(const std::string& node_id) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  for (const char* sql :
       {"DELETE FROM node WHERE node_id = ?", "DELETE FROM node_cordon WHERE node_id = ?",
        "DELETE FROM node_label WHERE node_id = ?"}) {
    RETURN_IF_ERROR(database_.Prepare(sql).Bind(node_id).Run());
  }
  return transaction.Commit();
}

absl::StatusOr<std::vector<KnownNode>> VersionStore::Nodes() const {
  const std::lock_guard lock(mutex_);
  Statement rows =
      database_.Prepare("SELECT node_id, first_ms, last_ms, hello FROM node ORDER BY node_id");
  std::vector<KnownNode> nodes;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return nodes;
    nodes.push_back({rows.Text(0), rows.Int(1), rows.Int(2), rows.Text(3)});
  }
}

absl::Status VersionStore::SetCordoned(const std::string& node_id, bool cordoned,
                                       int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&] {
    if (!cordoned) {
      return database_.Prepare("DELETE FROM node_cordon WHERE node_id = ?").Bind(node_id).Run();
    }
    return database_.Prepare("INSERT OR IGNORE INTO node_cordon VALUES (?, ?)")
        .Bind(node_id)
        .Bind(now_unix_ms)
        .Run();
  });
}

absl::Status VersionStore::SetNodeLabels(const std::string& node_id, const NodeLabels& labels) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(
      database_.Prepare("DELETE FROM node_label WHERE node_id = ?").Bind(node_id).Run());
  for (const auto& [key, value] : labels) {
    RETURN_IF_ERROR(database_.Prepare("INSERT INTO node_label VALUES (?, ?, ?)")
                        .Bind(node_id)
                        .Bind(key)
                        .Bind(value)
                        .Run());
  }
  return transaction.Commit();
}

absl::StatusOr<std::map<std::string, NodeSettings>> VersionStore::AllNodeSettings() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, NodeSettings> all;
  Statement cordoned = database_.Prepare("SELECT node_id FROM node_cordon");
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, cordoned.Step());
    if (!row) break;
    all[cordoned.Text(0)].cordoned = true;
  }
  Statement labels = database_.Prepare("SELECT node_id, key, value FROM node_label");
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, labels.Step());
    if (!row) return all;
    all[labels.Text(0)].labels[labels.Text(1)] = labels.Text(2);
  }
}

}  // namespace sluice::store
