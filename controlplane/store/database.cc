#include "controlplane/store/database.h"

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace sluice::store {

namespace {

constexpr std::string_view kJournalTable = "journal";

absl::Status SetPosition(Database& database, int64_t position, const std::string& entry) {
  return database.Prepare("UPDATE journal SET position = ?, entry = ? WHERE id = 1")
      .Bind(position)
      .Bind(entry)
      .Run();
}

}  // namespace

absl::StatusOr<Database> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle);
  if (result != SQLITE_OK) return database.Error("open " + path);
  sqlite3_busy_timeout(handle, 5000);
  for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                             "PRAGMA foreign_keys=ON", "PRAGMA trusted_schema=OFF"}) {
    RETURN_IF_ERROR(database.Execute(pragma));
  }
  return database;
}

absl::Status Database::Error(std::string_view doing) const {
  return absl::InternalError(fmt::format("store: {}: {}", doing, sqlite3_errmsg(handle_.get())));
}

absl::Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Error(sql);
  }
  return absl::OkStatus();
}

Statement Database::Prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  // A failure shows at the first Step: a damaged file may fail here although the SQL is right.
  sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &handle, nullptr);
  return Statement(*this, handle);
}

Statement& Statement::Bind(int64_t value) {
  sqlite3_bind_int64(handle_.get(), next_++, value);
  return *this;
}

Statement& Statement::Bind(std::string_view text) {
  sqlite3_bind_text64(handle_.get(), next_++, text.data(), text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(std::string_view bytes) {
  // A null pointer would bind NULL.
  const char* data = bytes.data() != nullptr ? bytes.data() : "";
  sqlite3_bind_blob64(handle_.get(), next_++, data, bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (handle_ == nullptr) return database_.Error("prepare");
  if (database_.has_journal() && sqlite3_get_autocommit(database_.handle_.get()) != 0 &&
      sqlite3_stmt_readonly(handle_.get()) == 0) {
    return absl::InternalError(fmt::format("store: a write that would not be written down: {}",
                                           sqlite3_sql(handle_.get())));
  }
  switch (sqlite3_step(handle_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return database_.Error(sqlite3_sql(handle_.get()));
  }
}

absl::Status Statement::Run() {
  RETURN_IF_ERROR(Step().status());
  Reset();
  return absl::OkStatus();
}

void Statement::Reset() {
  sqlite3_reset(handle_.get());
  next_ = 1;
}

std::string Statement::Text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return bytes == nullptr ? "" : std::string(bytes, static_cast<size_t>(size));
}

// --- Transactions, and what others repeat of them.

Transaction::~Transaction() {
  session_.reset();
  if (!done_) (void)database_.Execute("ROLLBACK").ok();
}

absl::Status Transaction::Begin() {
  RETURN_IF_ERROR(database_.Execute("BEGIN IMMEDIATE"));
  return database_.journal_ == nullptr ? absl::OkStatus() : StartSession();
}

absl::Status Transaction::StartSession() {
  sqlite3_session* session = nullptr;
  if (sqlite3session_create(database_.handle_.get(), "main", &session) != SQLITE_OK) {
    return database_.Error("record a transaction");
  }
  session_.reset(session);
  const auto is_recorded = [](void*, const char* table) {
    return static_cast<int>(std::string_view(table) != kJournalTable);
  };
  sqlite3session_table_filter(session, is_recorded, nullptr);
  if (sqlite3session_attach(session, nullptr) != SQLITE_OK) {
    return database_.Error("record a transaction");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Transaction::WriteDown() {
  if (session_ == nullptr) return false;
  int size = 0;
  void* bytes = nullptr;
  const int result = sqlite3session_changeset(session_.get(), &size, &bytes);
  const std::unique_ptr<void, decltype(&sqlite3_free)> owned(bytes, &sqlite3_free);
  if (result != SQLITE_OK) return database_.Error("record a transaction");
  if (size == 0) return false;
  ASSIGN_OR_RETURN(const JournalMark last, database_.Mark());
  ASSIGN_OR_RETURN(const std::string entry,
                   database_.journal_->Append(last, std::string(static_cast<const char*>(bytes),
                                                                static_cast<size_t>(size))));
  if (const absl::Status noted = SetPosition(database_, last.position + 1, entry); !noted.ok()) {
    database_.journal_->OnBehind(noted);
    return noted;
  }
  return true;
}

absl::Status Transaction::Commit() {
  ASSIGN_OR_RETURN(const bool written_down, WriteDown());
  const absl::Status committed = database_.Execute("COMMIT");
  if (!committed.ok() && written_down) database_.journal_->OnBehind(committed);
  RETURN_IF_ERROR(committed);
  done_ = true;
  return absl::OkStatus();
}

absl::StatusOr<JournalMark> Database::Mark() {
  Statement row = Prepare("SELECT log, position, entry FROM journal WHERE id = 1");
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::DataLossError("the store does not know how far it is");
  return JournalMark{.log = row.Text(0), .position = row.Int(1), .entry = row.Text(2)};
}

absl::Status Database::SetMark(const JournalMark& mark) {
  return Prepare("UPDATE journal SET log = ?, position = ?, entry = ? WHERE id = 1")
      .Bind(mark.log)
      .Bind(mark.position)
      .Bind(mark.entry)
      .Run();
}

absl::Status Database::Apply(int64_t position, const std::string& entry,
                             const std::string& changeset) {
  Transaction transaction(*this);
  RETURN_IF_ERROR(transaction.Begin());
  ASSIGN_OR_RETURN(const JournalMark last, Mark());
  if (position != last.position + 1) {
    return absl::DataLossError(
        fmt::format("entry {} cannot follow entry {}", position, last.position));
  }
  // A row that is to go and has gone went with the one it belonged to. One that is to go and
  // differs goes: of columns that came with ALTER TABLE the session knows no default.
  const auto on_conflict = [](void*, int conflict, sqlite3_changeset_iter* change) {
    const char* table = nullptr;
    int columns = 0, operation = 0, indirect = 0;
    sqlite3changeset_op(change, &table, &columns, &operation, &indirect);
    if (operation != SQLITE_DELETE) return SQLITE_CHANGESET_ABORT;
    if (conflict == SQLITE_CHANGESET_NOTFOUND) return SQLITE_CHANGESET_OMIT;
    return conflict == SQLITE_CHANGESET_DATA ? SQLITE_CHANGESET_REPLACE : SQLITE_CHANGESET_ABORT;
  };
  // SQLite takes them as writable and leaves them alone.
  const int result =
      sqlite3changeset_apply(handle_.get(), static_cast<int>(changeset.size()),
                             const_cast<char*>(changeset.data()), nullptr, on_conflict, nullptr);
  if (result == SQLITE_ABORT || result == SQLITE_CONSTRAINT || result == SQLITE_CORRUPT) {
    return absl::DataLossError(fmt::format("entry {} does not fit what is here", position));
  }
  if (result != SQLITE_OK) return Error(fmt::format("repeat entry {}", position));
  RETURN_IF_ERROR(SetPosition(*this, position, entry));
  return transaction.Commit();
}

}  // namespace sluice::store
