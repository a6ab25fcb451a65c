#include "controlplane/store/version_store.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/status_macros.h"

namespace sluice::store {
namespace {

constexpr int64_t kSchemaVersion = 1;

constexpr char kSchema[] = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE resource (sha256 BLOB PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,
                       body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE version (revision INTEGER PRIMARY KEY, root BLOB NOT NULL, created_ms INTEGER NOT NULL,
                      author TEXT NOT NULL, message TEXT NOT NULL, source TEXT NOT NULL,
                      state INTEGER NOT NULL, changes INTEGER NOT NULL, resource_count INTEGER NOT NULL,
                      document BLOB NOT NULL);
CREATE TABLE version_resource (revision INTEGER NOT NULL REFERENCES version ON DELETE CASCADE,
                               sha256 BLOB NOT NULL REFERENCES resource,
                               PRIMARY KEY (revision, sha256)) WITHOUT ROWID;
CREATE INDEX version_resource_sha256 ON version_resource (sha256);
CREATE INDEX version_root ON version (root);
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, unix_ms INTEGER NOT NULL, author TEXT NOT NULL,
                    peer TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE node (node_id TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
                   hello BLOB NOT NULL) WITHOUT ROWID;
)sql";

constexpr char kColumns[] =
    "SELECT revision, root, created_ms, author, message, source, state, changes, resource_count "
    "FROM version ";

}  // namespace

std::string_view NameOf(VersionState state) {
  switch (state) {
    case VersionState::kPending:
      return "pending";
    case VersionState::kCurrent:
      return "current";
    case VersionState::kSuperseded:
      return "superseded";
    case VersionState::kRefused:
      return "refused";
  }
  __builtin_unreachable();
}

absl::StatusOr<std::unique_ptr<VersionStore>> VersionStore::Open(const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectory(directory, 0700));
  const std::string lock_path = directory + "/lock";
  base::UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return base::ErrnoStatus(errno, "open " + lock_path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(fmt::format(
        "the data directory {} is in use by another sluice-controller: stop it or give another "
        "--data-dir",
        directory));
  }
  const std::string path = directory + "/sluice.db";
  const base::UniqueFd made(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!made.valid()) return base::ErrnoStatus(errno, "open " + path);
  ASSIGN_OR_RETURN(Database database, Database::Open(path));
  std::unique_ptr<VersionStore> store(
      new VersionStore(path, std::move(lock), std::move(database)));
  if (const absl::Status status = store->Initialise(); !status.ok()) {
    return absl::Status(status.code(),
                        fmt::format("{}: {}; restore it from a copy or start with an empty --data-dir",
                                    path, std::string(status.message())));
  }
  return store;
}

absl::Status VersionStore::Initialise() {
  Statement check = database_.Prepare("PRAGMA quick_check(1)");
  ASSIGN_OR_RETURN(const bool checked, check.Step());
  if (!checked || check.Text(0) != "ok") return absl::DataLossError("the file is damaged");
  Statement schema = database_.Prepare("PRAGMA user_version");
  ASSIGN_OR_RETURN(const bool has_schema, schema.Step());
  const int64_t found = has_schema ? schema.Int(0) : 0;
  if (found > kSchemaVersion) {
    return absl::FailedPreconditionError(
        fmt::format("it was written by a newer release (schema {}, this one knows {})", found,
                    kSchemaVersion));
  }
  if (found == 0) {
    Transaction transaction(database_);
    RETURN_IF_ERROR(transaction.Begin());
    RETURN_IF_ERROR(database_.Execute(kSchema));
    RETURN_IF_ERROR(database_.Prepare("INSERT INTO meta VALUES ('epoch', ?)")
                        .Bind(base::UnixMillis())
                        .Run());
    RETURN_IF_ERROR(database_.Execute(fmt::format("PRAGMA user_version={}", kSchemaVersion)));
    RETURN_IF_ERROR(transaction.Commit());
  }
  Statement epoch = database_.Prepare("SELECT value FROM meta WHERE key = 'epoch'");
  ASSIGN_OR_RETURN(const bool has_epoch, epoch.Step());
  if (!has_epoch) return absl::DataLossError("it has no epoch");
  epoch_ = static_cast<uint64_t>(epoch.Int(0));
  // What was on its way when the process ended never became current.
  return database_.Prepare("UPDATE version SET state = ? WHERE state = ?")
      .Bind(static_cast<int64_t>(VersionState::kRefused))
      .Bind(static_cast<int64_t>(VersionState::kPending))
      .Run();
}

absl::Status VersionStore::Add(StoredVersion* version, const snapshot::Resources& resources,
                               const std::string& document) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(database_
                      .Prepare("INSERT INTO version (root, created_ms, author, message, source, state, "
                               "changes, resource_count, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                      .BindBlob(version->version.root())
                      .Bind(version->created_unix_ms)
                      .Bind(version->author)
                      .Bind(version->message)
                      .Bind(version->source)
                      .Bind(static_cast<int64_t>(version->state))
                      .Bind(version->changes)
                      .Bind(static_cast<int64_t>(resources.size()))
                      .BindBlob(document)
                      .Run());
  const int64_t revision = database_.last_id();
  for (const auto& resource : resources) {
    RETURN_IF_ERROR(database_.Prepare("INSERT OR IGNORE INTO resource VALUES (?, ?, ?, ?)")
                        .BindBlob(resource->sha256())
                        .Bind(static_cast<int64_t>(resource->kind()))
                        .Bind(resource->name())
                        .BindBlob(resource->body())
                        .Run());
    RETURN_IF_ERROR(database_.Prepare("INSERT INTO version_resource VALUES (?, ?)")
                        .Bind(revision)
                        .BindBlob(resource->sha256())
                        .Run());
  }
  RETURN_IF_ERROR(Prune());
  RETURN_IF_ERROR(transaction.Commit());
  version->version.set_epoch(epoch_);
  version->version.set_revision(static_cast<uint64_t>(revision));
  version->resource_count = static_cast<int64_t>(resources.size());
  return absl::OkStatus();
}

// The current version stays, however old.
absl::Status VersionStore::Prune() {
  RETURN_IF_ERROR(database_
                      .Prepare("DELETE FROM version WHERE state <> ? AND revision <= "
                               "(SELECT max(revision) FROM version) - ?")
                      .Bind(static_cast<int64_t>(VersionState::kCurrent))
                      .Bind(int64_t{kVersionsKept})
                      .Run());
  if (sqlite3_changes(database_.handle()) == 0) return absl::OkStatus();
  return database_.Execute(
      "DELETE FROM resource WHERE NOT EXISTS "
      "(SELECT 1 FROM version_resource WHERE version_resource.sha256 = resource.sha256)");
}

absl::Status VersionStore::SetState(uint64_t revision, VersionState state) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  if (state == VersionState::kCurrent) {
    RETURN_IF_ERROR(database_.Prepare("UPDATE version SET state = ? WHERE state = ?")
                        .Bind(static_cast<int64_t>(VersionState::kSuperseded))
                        .Bind(static_cast<int64_t>(VersionState::kCurrent))
                        .Run());
  }
  RETURN_IF_ERROR(database_.Prepare("UPDATE version SET state = ? WHERE revision = ?")
                      .Bind(static_cast<int64_t>(state))
                      .Bind(static_cast<int64_t>(revision))
                      .Run());
  return transaction.Commit();
}

absl::StatusOr<std::vector<StoredVersion>> VersionStore::Select(std::string_view condition,
                                                                int64_t argument, int limit) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      fmt::format("{}{} ORDER BY revision DESC LIMIT {}", kColumns, condition, limit));
  if (condition.find('?') != std::string_view::npos) rows.Bind(argument);
  std::vector<StoredVersion> versions;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return versions;
    StoredVersion& version = versions.emplace_back();
    version.version.set_epoch(epoch_);
    version.version.set_revision(static_cast<uint64_t>(rows.Int(0)));
    version.version.set_root(rows.Text(1));
    version.created_unix_ms = rows.Int(2);
    version.author = rows.Text(3);
    version.message = rows.Text(4);
    version.source = rows.Text(5);
    version.state = static_cast<VersionState>(rows.Int(6));
    version.changes = rows.Int(7);
    version.resource_count = rows.Int(8);
  }
}

absl::StatusOr<StoredVersion> VersionStore::Get(uint64_t revision) const {
  ASSIGN_OR_RETURN(auto versions, Select("WHERE revision = ?", static_cast<int64_t>(revision), 1));
  if (versions.empty()) {
    return absl::NotFoundError(fmt::format("there is no version {}; `sluicectl history` lists them", revision));
  }
  return versions.front();
}

absl::StatusOr<StoredVersion> VersionStore::Current() const {
  ASSIGN_OR_RETURN(auto versions,
                   Select("WHERE state = ?", static_cast<int64_t>(VersionState::kCurrent), 1));
  if (versions.empty()) return absl::NotFoundError("nothing has been applied yet");
  return versions.front();
}

absl::StatusOr<std::vector<StoredVersion>> VersionStore::List(int limit) const {
  return Select("", 0, limit);
}

absl::StatusOr<snapshot::Resources> VersionStore::Resources(uint64_t revision) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      "SELECT kind, name, body, resource.sha256 FROM version_resource JOIN resource USING (sha256) "
      "WHERE revision = ?");
  rows.Bind(static_cast<int64_t>(revision));
  snapshot::Resources resources;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) break;
    auto resource = std::make_shared<v1::Resource>();
    resource->set_kind(static_cast<v1::ResourceKind>(rows.Int(0)));
    resource->set_name(rows.Text(1));
    resource->set_body(rows.Text(2));
    resource->set_sha256(rows.Text(3));
    resources.push_back(std::move(resource));
  }
  RETURN_IF_ERROR(snapshot::SortAndCheck(&resources));
  return resources;
}

absl::StatusOr<std::string> VersionStore::Document(uint64_t revision) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare("SELECT document FROM version WHERE revision = ?");
  rows.Bind(static_cast<int64_t>(revision));
  ASSIGN_OR_RETURN(const bool row, rows.Step());
  if (!row) return absl::NotFoundError(fmt::format("there is no version {}", revision));
  return rows.Text(0);
}

absl::StatusOr<uint64_t> VersionStore::RevisionOfRoot(const std::string& root) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare("SELECT max(revision) FROM version WHERE root = ?");
  rows.BindBlob(root);
  ASSIGN_OR_RETURN(const bool row, rows.Step());
  if (!row || rows.Int(0) == 0) return absl::NotFoundError("no version has this root");
  return static_cast<uint64_t>(rows.Int(0));
}

absl::Status VersionStore::Audit(const v1::AuditEntry& entry) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(
      database_.Prepare("INSERT INTO audit (unix_ms, author, peer, action, detail) VALUES (?, ?, ?, ?, ?)")
          .Bind(static_cast<int64_t>(entry.unix_ms()))
          .Bind(entry.author())
          .Bind(entry.peer())
          .Bind(entry.action())
          .Bind(entry.detail())
          .Run());
  return database_.Prepare("DELETE FROM audit WHERE id <= ?")
      .Bind(database_.last_id() - kAuditKept)
      .Run();
}

absl::StatusOr<std::vector<v1::AuditEntry>> VersionStore::ListAudit(int limit) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      "SELECT id, unix_ms, author, peer, action, detail FROM audit ORDER BY id DESC LIMIT ?");
  rows.Bind(int64_t{limit});
  std::vector<v1::AuditEntry> entries;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return entries;
    v1::AuditEntry& entry = entries.emplace_back();
    entry.set_id(static_cast<uint64_t>(rows.Int(0)));
    entry.set_unix_ms(static_cast<uint64_t>(rows.Int(1)));
    entry.set_author(rows.Text(2));
    entry.set_peer(rows.Text(3));
    entry.set_action(rows.Text(4));
    entry.set_detail(rows.Text(5));
  }
}

absl::Status VersionStore::SeeNode(const std::string& node_id, const std::string& hello,
                                   int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  return database_
      .Prepare("INSERT INTO node VALUES (?1, ?2, ?2, ?3) ON CONFLICT (node_id) DO UPDATE SET "
               "last_ms = ?2, hello = ?3")
      .Bind(node_id)
      .Bind(now_unix_ms)
      .BindBlob(hello)
      .Run();
}

absl::Status VersionStore::ForgetNode(const std::string& node_id) {
  const std::lock_guard lock(mutex_);
  return database_.Prepare("DELETE FROM node WHERE node_id = ?").Bind(node_id).Run();
}

absl::StatusOr<std::vector<KnownNode>> VersionStore::Nodes() const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare("SELECT node_id, first_ms, last_ms, hello FROM node ORDER BY node_id");
  std::vector<KnownNode> nodes;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return nodes;
    nodes.push_back({rows.Text(0), rows.Int(1), rows.Int(2), rows.Text(3)});
  }
}

int64_t VersionStore::FileBytes() const {
  int64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    struct stat info;
    if (stat((path_ + suffix).c_str(), &info) == 0) bytes += info.st_size;
  }
  return bytes;
}

}  // namespace sluice::store
