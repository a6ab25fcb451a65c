#include "controlplane/store/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "common/base/hash.h"
#include "common/base/status_macros.h"
#include "controlplane/store/id_list.h"
#include "sluice/v1/admin_service.pb.h"

namespace sluice::store {
namespace {

// Version 2; what later ones add stands below.
constexpr char kTables[] = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE resource (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,
                       name TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE file (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, content BLOB NOT NULL);
CREATE TABLE version (revision INTEGER PRIMARY KEY AUTOINCREMENT, root BLOB NOT NULL,
                      created_ms INTEGER NOT NULL, author TEXT NOT NULL, message TEXT NOT NULL,
                      source TEXT NOT NULL, state INTEGER NOT NULL, changes INTEGER NOT NULL,
                      resource_count INTEGER NOT NULL, resources BLOB NOT NULL);
CREATE INDEX version_root ON version (root);
CREATE INDEX version_state ON version (state);
CREATE TABLE version_file (revision INTEGER NOT NULL REFERENCES version ON DELETE CASCADE,
                           position INTEGER NOT NULL, path TEXT NOT NULL,
                           file INTEGER NOT NULL REFERENCES file,
                           PRIMARY KEY (revision, position)) WITHOUT ROWID;
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, unix_ms INTEGER NOT NULL,
                    author TEXT NOT NULL, peer TEXT NOT NULL, action TEXT NOT NULL,
                    detail TEXT NOT NULL);
CREATE TABLE node (node_id TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
                   hello BLOB NOT NULL) WITHOUT ROWID;
)sql";

// Came with version 3.
constexpr char kTablesOfThree[] = R"sql(
CREATE TABLE rollout (revision INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE bad_root (root BLOB PRIMARY KEY, why TEXT NOT NULL) WITHOUT ROWID;
)sql";

// Came with version 4: who is trusted, a key to seal with, and an audit log that says what was
// refused.
constexpr char kTrust[] = R"sql(
CREATE TABLE token (id TEXT PRIMARY KEY, secret_sha256 BLOB NOT NULL, role TEXT NOT NULL,
                    name TEXT NOT NULL, node_id TEXT NOT NULL, labels BLOB NOT NULL,
                    created_by TEXT NOT NULL, created_ms INTEGER NOT NULL,
                    expires_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL DEFAULT 0,
                    used_by TEXT NOT NULL DEFAULT '', used_key BLOB NOT NULL DEFAULT x'',
                    revoked_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE enrolled (node_id TEXT PRIMARY KEY, enrolment TEXT NOT NULL, token TEXT NOT NULL,
                       labels BLOB NOT NULL, enrolled_ms INTEGER NOT NULL, renewed_ms INTEGER NOT NULL DEFAULT 0,
                       revoked_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE seal (id INTEGER PRIMARY KEY CHECK (id = 1), probe BLOB NOT NULL);
ALTER TABLE audit ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN root_before BLOB NOT NULL DEFAULT x'';
ALTER TABLE audit ADD COLUMN root_after BLOB NOT NULL DEFAULT x'';
)sql";

// Came with version 5: what operators said of nodes, which they may say before a node is seen
// again.
constexpr char kNodeSettings[] = R"sql(
CREATE TABLE node_cordon (node_id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE node_label (node_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                         PRIMARY KEY (node_id, key)) WITHOUT ROWID;
)sql";

// Came with version 6: how far this copy is in the log that several controllers share; -1: it is
// in none.
constexpr char kJournal[] = R"sql(
CREATE TABLE journal (id INTEGER PRIMARY KEY CHECK (id = 1), log TEXT NOT NULL,
                      position INTEGER NOT NULL, entry TEXT NOT NULL);
INSERT INTO journal VALUES (1, '', -1, '');
)sql";

// What brings version 2, 3, … to the one after it.
constexpr const char* kSteps[] = {kTablesOfThree, kTrust, kNodeSettings, kJournal};
static_assert(std::size(kSteps) == kSchemaVersion - 2);

// Version 1 had one row for each resource of a version, and documents whole. Audit and nodes were
// as they are.
constexpr char kSetAsideOne[] = R"sql(
DROP INDEX version_resource_sha256;
DROP INDEX version_root;
ALTER TABLE meta RENAME TO old_meta;
ALTER TABLE resource RENAME TO old_resource;
ALTER TABLE version RENAME TO old_version;
ALTER TABLE version_resource RENAME TO old_version_resource;
ALTER TABLE audit RENAME TO old_audit;
ALTER TABLE node RENAME TO old_node;
)sql";
constexpr char kCopyOne[] = R"sql(
INSERT INTO meta SELECT key, value FROM old_meta;
INSERT INTO resource (sha256, kind, name, body) SELECT sha256, kind, name, body FROM old_resource;
INSERT INTO version SELECT revision, root, created_ms, author, message, source, state, changes,
                           resource_count, x'' FROM old_version;
INSERT INTO audit SELECT id, unix_ms, author, peer, action, detail FROM old_audit;
INSERT INTO node SELECT node_id, first_ms, last_ms, hello FROM old_node;
)sql";
constexpr char kDropOne[] = R"sql(
DROP TABLE old_version_resource;
DROP TABLE old_version;
DROP TABLE old_resource;
DROP TABLE old_audit;
DROP TABLE old_node;
DROP TABLE old_meta;
)sql";

absl::StatusOr<std::vector<int64_t>> Numbers(Statement rows) {
  std::vector<int64_t> numbers;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return numbers;
    numbers.push_back(rows.Int(0));
  }
}

absl::Status MoveFilesOfOne(Database& database, int64_t revision) {
  Statement whole = database.Prepare("SELECT document FROM old_version WHERE revision = ?");
  whole.Bind(revision);
  ASSIGN_OR_RETURN(const bool found, whole.Step());
  v1::Document document;
  if (!found || !document.ParseFromString(whole.Text(0))) {
    return absl::DataLossError(fmt::format("the document of version {} is damaged", revision));
  }
  int64_t position = 0;
  for (const v1::SourceFile& file : document.files()) {
    const std::string hash = base::Sha256(file.content());
    RETURN_IF_ERROR(database.Prepare("INSERT OR IGNORE INTO file (sha256, content) VALUES (?, ?)")
                        .BindBlob(hash)
                        .BindBlob(file.content())
                        .Run());
    RETURN_IF_ERROR(database
                        .Prepare("INSERT INTO version_file SELECT ?, ?, ?, id FROM file "
                                 "WHERE sha256 = ?")
                        .Bind(revision)
                        .Bind(position++)
                        .Bind(file.path())
                        .BindBlob(hash)
                        .Run());
  }
  return absl::OkStatus();
}

absl::Status MigrateFromOne(Database& database) {
  RETURN_IF_ERROR(database.Execute(kSetAsideOne));
  RETURN_IF_ERROR(database.Execute(kTables));
  RETURN_IF_ERROR(database.Execute(kCopyOne));
  ASSIGN_OR_RETURN(const std::vector<int64_t> revisions,
                   Numbers(database.Prepare("SELECT revision FROM version")));
  for (const int64_t revision : revisions) {
    Statement rows = database.Prepare(
        "SELECT resource.id FROM old_version_resource JOIN resource USING (sha256) "
        "WHERE revision = ? ORDER BY resource.id");
    rows.Bind(revision);
    ASSIGN_OR_RETURN(const std::vector<int64_t> ids, Numbers(std::move(rows)));
    RETURN_IF_ERROR(database.Prepare("UPDATE version SET resources = ? WHERE revision = ?")
                        .BindBlob(EncodeIds(ids))
                        .Bind(revision)
                        .Run());
    RETURN_IF_ERROR(MoveFilesOfOne(database, revision));
  }
  return database.Execute(kDropOne);
}

// A file with tables and no schema version of ours is somebody else's.
absl::Status RefuseForeign(Database& database) {
  Statement tables = database.Prepare("SELECT count(*) FROM sqlite_master");
  ASSIGN_OR_RETURN(const bool row, tables.Step());
  if (!row || tables.Int(0) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError("it is a database of another program");
}

absl::Status Create(Database& database, int64_t epoch) {
  RETURN_IF_ERROR(database.Execute(kTables));
  return database.Prepare("INSERT INTO meta VALUES ('epoch', ?)").Bind(epoch).Run();
}

}  // namespace

absl::Status PrepareSchema(Database& database, int64_t epoch) {
  Transaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  int64_t found = 0;
  {
    Statement schema = database.Prepare("PRAGMA user_version");
    ASSIGN_OR_RETURN(const bool has_schema, schema.Step());
    if (has_schema) found = schema.Int(0);
  }
  if (found == kSchemaVersion) return absl::OkStatus();
  if (found > kSchemaVersion || found < 0) {
    return absl::FailedPreconditionError(
        fmt::format("it was written by a newer release (schema {}, this one knows {}): run that "
                    "release",
                    found, kSchemaVersion));
  }
  if (found == 0) {
    RETURN_IF_ERROR(RefuseForeign(database));
    RETURN_IF_ERROR(Create(database, epoch));
  }
  if (found == 1) RETURN_IF_ERROR(MigrateFromOne(database));
  for (int64_t at = std::max<int64_t>(found, 2); at < kSchemaVersion; ++at) {
    RETURN_IF_ERROR(database.Execute(kSteps[at - 2]));
  }
  RETURN_IF_ERROR(database.Execute(fmt::format("PRAGMA user_version={}", kSchemaVersion)));
  return transaction.Commit();
}

}  // namespace sluice::store
