#include "controlplane/store/version_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/id_list.h"
#include "controlplane/store/schema.h"

namespace sluice::store {
namespace {

constexpr char kColumns[] =
    "SELECT revision, root, created_ms, author, message, source, state, changes, resource_count "
    "FROM version ";

// What sealed bytes are for.
constexpr char kProbe[] = "store", kResource[] = "resource";

absl::Status NoVersion(uint64_t revision) {
  return absl::NotFoundError(
      fmt::format("there is no version {}; `sluicectl history` lists them", revision));
}

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
    case VersionState::kRolling:
      return "rolling-out";
    case VersionState::kTakenBack:
      return "taken-back";
  }
  __builtin_unreachable();
}

namespace {

absl::Status WithRemedy(const std::string& path, const absl::Status& status) {
  return absl::Status(
      status.code(), fmt::format("{}: {}; restore it from a copy or start with an empty --data-dir",
                                 path, std::string(status.message())));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VersionStore>> VersionStore::Open(const std::string& directory,
                                                                 const LoadSealer& load_sealer,
                                                                 Journal* journal) {
  ASSIGN_OR_RETURN(base::UniqueFd lock, LockDataFolder(directory));
  const std::string path = fmt::format("{}/{}", directory, kDatabaseName);
  RETURN_IF_ERROR(OpenPrivate(path).status());  // SQLite gives its other files the same mode.
  absl::StatusOr<Database> database = Database::Open(path);
  if (!database.ok()) return WithRemedy(path, database.status());
  std::unique_ptr<VersionStore> store(
      new VersionStore(directory, path, std::move(lock), *std::move(database)));
  if (const absl::Status status = store->Initialise(); !status.ok()) {
    return WithRemedy(path, status);
  }
  if (load_sealer) RETURN_IF_ERROR(store->UseSealer(load_sealer));
  RETURN_IF_ERROR(store->Begin(journal));
  return store;
}

absl::StatusOr<std::optional<trust::Sealer>> VersionStore::SealerOf(Database& database,
                                                                    const std::string& path,
                                                                    const LoadSealer& load_sealer) {
  Statement probe = database.Prepare("SELECT probe FROM seal");
  ASSIGN_OR_RETURN(const bool sealed, probe.Step());
  if (!sealed) return std::nullopt;
  ASSIGN_OR_RETURN(trust::Sealer sealer, load_sealer(/*may_make=*/false));
  if (const auto opened = sealer.Open(probe.Text(0), kProbe); !opened.ok()) {
    return absl::Status(opened.status().code(),
                        fmt::format("{}: {}", path, std::string(opened.status().message())));
  }
  return sealer;
}

absl::Status VersionStore::UseSealer(const LoadSealer& load_sealer) {
  ASSIGN_OR_RETURN(sealer_, SealerOf(database_, path_, load_sealer));
  if (sealer_.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(sealer_, load_sealer(/*may_make=*/true));
  return SealAll();
}

absl::Status VersionStore::Begin(Journal* journal) {
  if (journal == nullptr) {
    // What is written from now on is in no log.
    RETURN_IF_ERROR(database_.SetMark({}));
  } else {
    database_.SetJournal(journal);
  }
  // What was on its way when the process ended never became current.
  return InTransaction(database_, [this] {
    return database_.Prepare("UPDATE version SET state = ? WHERE state = ?")
        .Bind(static_cast<int64_t>(VersionState::kRefused))
        .Bind(static_cast<int64_t>(VersionState::kPending))
        .Run();
  });
}

// What lay open is not left in free pages or in the log.
absl::Status VersionStore::SealAll() {
  RETURN_IF_ERROR(database_.Execute("PRAGMA secure_delete=ON"));
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(database_.Prepare("INSERT INTO seal VALUES (1, ?)")
                      .BindBlob(sealer_->Seal("", kProbe))
                      .Run());
  std::vector<std::pair<int64_t, std::string>> open;
  {
    Statement rows = database_.Prepare("SELECT id, body FROM resource WHERE kind = ?");
    rows.Bind(int64_t{v1::RESOURCE_KIND_CERTIFICATE});
    for (;;) {
      ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) break;
      open.emplace_back(rows.Int(0), rows.Text(1));
    }
  }
  Statement update = database_.Prepare("UPDATE resource SET body = ? WHERE id = ?");
  for (const auto& [id, body] : open) {
    RETURN_IF_ERROR(update.BindBlob(sealer_->Seal(body, kResource)).Bind(id).Run());
  }
  RETURN_IF_ERROR(transaction.Commit());
  if (open.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(database_.Execute("VACUUM"));
  return database_.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

std::string VersionStore::BodyToKeep(const v1::Resource& resource) const {
  if (!sealer_.has_value() || resource.kind() != v1::RESOURCE_KIND_CERTIFICATE) {
    return resource.body();
  }
  return sealer_->Seal(resource.body(), kResource);
}

absl::Status VersionStore::Initialise() {
  {
    Statement check = database_.Prepare("PRAGMA quick_check(1)");
    ASSIGN_OR_RETURN(const bool checked, check.Step());
    if (!checked || check.Text(0) != "ok") return absl::DataLossError("the file is damaged");
  }
  RETURN_IF_ERROR(PrepareSchema(database_, base::UnixMillis()));
  Statement epoch = database_.Prepare("SELECT value FROM meta WHERE key = 'epoch'");
  ASSIGN_OR_RETURN(const bool has_epoch, epoch.Step());
  if (!has_epoch) return absl::DataLossError("it has no epoch");
  epoch_ = static_cast<uint64_t>(epoch.Int(0));
  return absl::OkStatus();
}

absl::Status VersionStore::Add(StoredVersion* version, const snapshot::Resources& resources,
                               const v1::Document& document) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  ASSIGN_OR_RETURN(const std::vector<int64_t> ids, AddResources(resources));
  RETURN_IF_ERROR(database_
                      .Prepare("INSERT INTO version (root, created_ms, author, message, source, "
                               "state, changes, resource_count, resources) "
                               "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                      .BindBlob(version->version.root())
                      .Bind(version->created_unix_ms)
                      .Bind(version->author)
                      .Bind(version->message)
                      .Bind(version->source)
                      .Bind(static_cast<int64_t>(version->state))
                      .Bind(version->changes)
                      .Bind(static_cast<int64_t>(resources.size()))
                      .BindBlob(EncodeIds(ids))
                      .Run());
  const int64_t revision = database_.last_id();
  RETURN_IF_ERROR(AddFiles(revision, document));
  RETURN_IF_ERROR(transaction.Commit());
  version->version.set_epoch(epoch_);
  version->version.set_revision(static_cast<uint64_t>(revision));
  version->resource_count = static_cast<int64_t>(resources.size());
  return absl::OkStatus();
}

// Row numbers, sorted.
absl::StatusOr<std::vector<int64_t>> VersionStore::AddResources(
    const snapshot::Resources& resources) {
  Statement find = database_.Prepare("SELECT id FROM resource WHERE sha256 = ?");
  Statement insert =
      database_.Prepare("INSERT INTO resource (sha256, kind, name, body) VALUES (?, ?, ?, ?)");
  std::vector<int64_t> ids;
  for (const auto& resource : resources) {
    ASSIGN_OR_RETURN(const bool known, find.BindBlob(resource->sha256()).Step());
    if (known) ids.push_back(find.Int(0));
    find.Reset();
    if (known) continue;
    RETURN_IF_ERROR(insert.BindBlob(resource->sha256())
                        .Bind(static_cast<int64_t>(resource->kind()))
                        .Bind(resource->name())
                        .BindBlob(BodyToKeep(*resource))
                        .Run());
    ids.push_back(database_.last_id());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::Status VersionStore::AddFiles(int64_t revision, const v1::Document& document) {
  Statement insert =
      database_.Prepare("INSERT OR IGNORE INTO file (sha256, content) VALUES (?, ?)");
  Statement link =
      database_.Prepare("INSERT INTO version_file SELECT ?, ?, ?, id FROM file WHERE sha256 = ?");
  int64_t position = 0;
  for (const v1::SourceFile& file : document.files()) {
    const std::string hash = base::Sha256(file.content());
    RETURN_IF_ERROR(insert.BindBlob(hash).BindBlob(file.content()).Run());
    RETURN_IF_ERROR(link.Bind(revision).Bind(position++).Bind(file.path()).BindBlob(hash).Run());
  }
  return absl::OkStatus();
}

absl::Status VersionStore::Prune() {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  {
    Statement count = database_.Prepare("SELECT count(*) FROM version");
    RETURN_IF_ERROR(count.Step().status());
    if (count.Int(0) < kVersionsKept + kVersionsSlack) return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      database_
          .Prepare("DELETE FROM version WHERE state NOT IN (?, ?) AND revision <= (SELECT "
                   "revision FROM version ORDER BY revision DESC LIMIT 1 OFFSET ?)")
          .Bind(static_cast<int64_t>(VersionState::kCurrent))
          .Bind(static_cast<int64_t>(VersionState::kRolling))
          .Bind(int64_t{kVersionsKept})
          .Run());
  RETURN_IF_ERROR(database_.Execute(
      "DELETE FROM rollout WHERE revision NOT IN (SELECT revision FROM version)"));
  RETURN_IF_ERROR(DropUnused());
  return transaction.Commit();
}

absl::Status VersionStore::DropUnused() {
  std::unordered_set<int64_t> used;
  Statement lists = database_.Prepare("SELECT resources FROM version");
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, lists.Step());
    if (!row) break;
    ASSIGN_OR_RETURN(const std::vector<int64_t> ids, DecodeIds(lists.Text(0)));
    used.insert(ids.begin(), ids.end());
  }
  std::vector<int64_t> unused;
  Statement rows = database_.Prepare("SELECT id FROM resource");
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) break;
    if (!used.contains(rows.Int(0))) unused.push_back(rows.Int(0));
  }
  Statement drop = database_.Prepare("DELETE FROM resource WHERE id = ?");
  for (const int64_t id : unused) RETURN_IF_ERROR(drop.Bind(id).Run());
  return database_.Execute("DELETE FROM file WHERE id NOT IN (SELECT file FROM version_file)");
}

absl::Status VersionStore::SetState(uint64_t revision, VersionState state) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(WriteState(revision, state));
  return transaction.Commit();
}

absl::Status VersionStore::WriteState(uint64_t revision, VersionState state) {
  if (state == VersionState::kCurrent) {
    RETURN_IF_ERROR(database_.Prepare("UPDATE version SET state = ? WHERE state = ?")
                        .Bind(static_cast<int64_t>(VersionState::kSuperseded))
                        .Bind(static_cast<int64_t>(VersionState::kCurrent))
                        .Run());
  }
  return database_.Prepare("UPDATE version SET state = ? WHERE revision = ?")
      .Bind(static_cast<int64_t>(state))
      .Bind(static_cast<int64_t>(revision))
      .Run();
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
  if (versions.empty()) return NoVersion(revision);
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
  Statement list = database_.Prepare("SELECT resources FROM version WHERE revision = ?");
  ASSIGN_OR_RETURN(const bool found, list.Bind(static_cast<int64_t>(revision)).Step());
  if (!found) return NoVersion(revision);
  ASSIGN_OR_RETURN(const std::vector<int64_t> ids, DecodeIds(list.Text(0)));
  Statement one = database_.Prepare("SELECT kind, name, body, sha256 FROM resource WHERE id = ?");
  snapshot::Resources resources;
  for (const int64_t id : ids) {
    ASSIGN_OR_RETURN(const bool row, one.Bind(id).Step());
    if (!row) {
      return absl::DataLossError(fmt::format("a resource of version {} is missing", revision));
    }
    auto resource = std::make_shared<v1::Resource>();
    resource->set_kind(static_cast<v1::ResourceKind>(one.Int(0)));
    resource->set_name(one.Text(1));
    std::string body = one.Text(2);
    if (trust::Sealer::IsSealed(body)) {
      if (!sealer_.has_value()) return absl::FailedPreconditionError("the store is sealed");
      ASSIGN_OR_RETURN(body, sealer_->Open(body, kResource));
    }
    resource->set_body(std::move(body));
    resource->set_sha256(one.Text(3));
    resources.push_back(std::move(resource));
    one.Reset();
  }
  RETURN_IF_ERROR(snapshot::SortAndCheck(&resources));
  return resources;
}

absl::StatusOr<v1::Document> VersionStore::Document(uint64_t revision) const {
  RETURN_IF_ERROR(Get(revision).status());
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      "SELECT path, content FROM version_file JOIN file ON file.id = version_file.file "
      "WHERE revision = ? ORDER BY position");
  rows.Bind(static_cast<int64_t>(revision));
  v1::Document document;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return document;
    v1::SourceFile& file = *document.add_files();
    file.set_path(rows.Text(0));
    file.set_content(rows.Text(1));
  }
}

absl::StatusOr<int64_t> VersionStore::CountVersions() const {
  const std::lock_guard lock(mutex_);
  Statement count = database_.Prepare("SELECT count(*) FROM version");
  RETURN_IF_ERROR(count.Step().status());
  return count.Int(0);
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
  return InTransaction(database_, [&] { return WriteAudit(entry); });
}

absl::Status VersionStore::WriteAudit(const v1::AuditEntry& entry) {
  RETURN_IF_ERROR(
      database_
          .Prepare("INSERT INTO audit (unix_ms, author, peer, action, detail, role, refused, "
                   "root_before, root_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
          .Bind(static_cast<int64_t>(entry.unix_ms()))
          .Bind(entry.author())
          .Bind(entry.peer())
          .Bind(entry.action())
          .Bind(entry.detail())
          .Bind(entry.role())
          .Bind(int64_t{entry.refused()})
          .BindBlob(entry.root_before())
          .BindBlob(entry.root_after())
          .Run());
  return database_.Prepare("DELETE FROM audit WHERE id <= ?")
      .Bind(database_.last_id() - kAuditKept)
      .Run();
}

absl::StatusOr<std::vector<v1::AuditEntry>> VersionStore::ListAudit(int limit) const {
  const std::lock_guard lock(mutex_);
  Statement rows = database_.Prepare(
      "SELECT id, unix_ms, author, peer, action, detail, role, refused, root_before, root_after "
      "FROM audit ORDER BY id DESC LIMIT ?");
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
    entry.set_role(rows.Text(6));
    entry.set_refused(rows.Int(7) != 0);
    entry.set_root_before(rows.Text(8));
    entry.set_root_after(rows.Text(9));
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
