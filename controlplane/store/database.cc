#include "controlplane/store/database.h"

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace sluice::store {

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

Transaction::~Transaction() {
  if (!done_) (void)database_.Execute("ROLLBACK").ok();
}

absl::Status Transaction::Commit() {
  RETURN_IF_ERROR(database_.Execute("COMMIT"));
  done_ = true;
  return absl::OkStatus();
}

}  // namespace sluice::store
