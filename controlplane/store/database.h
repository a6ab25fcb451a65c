// SQLite, opened the way the store needs it, and statements that finish themselves.
//
// One thread at a time; the store holds a lock.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sluice::store {

class Statement;

class Database {
 public:
  // WAL and synchronous=FULL: a committed transaction survives the machine's sudden end.
  static absl::StatusOr<Database> Open(const std::string& path);

  absl::Status Execute(const std::string& sql);
  // `sql` is ours, so that an error in it is a bug.
  Statement Prepare(std::string_view sql);
  int64_t last_id() const { return sqlite3_last_insert_rowid(handle_.get()); }
  // Rows changed by the last INSERT, UPDATE or DELETE.
  int changes() const { return sqlite3_changes(handle_.get()); }
  absl::Status Error(std::string_view doing) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, Close> handle_;
};

class Statement {
 public:
  Statement& Bind(int64_t value);
  Statement& Bind(std::string_view text);
  Statement& BindBlob(std::string_view bytes);

  // True: there is a row. Errors end the statement.
  absl::StatusOr<bool> Step();
  // Ready to be bound and stepped again.
  void Reset();
  // For statements without rows; then it can be bound and run again.
  absl::Status Run();

  int64_t Int(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  std::string Text(int column) const;  // Also blobs.

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  Statement(Database& database, sqlite3_stmt* handle) : database_(database), handle_(handle) {}
  Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int next_ = 1;
};

// Rolls back unless Commit was called.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  ~Transaction();
  absl::Status Begin() { return database_.Execute("BEGIN IMMEDIATE"); }
  absl::Status Commit();

 private:
  Database& database_;
  bool done_ = false;
};

}  // namespace sluice::store
