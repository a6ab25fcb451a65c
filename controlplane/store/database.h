// SQLite, opened the way the store needs it, and statements that finish themselves.
//
// One thread at a time; the store holds a lock.
#pragma once

// The session extension is Debian's, its declarations are not on by default.
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "controlplane/store/journal.h"

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

  // Every transaction from now on is written down there first; it must outlive this. Writes outside
  // of transactions fail from then on. There must be a table `journal` with one row (id 1).
  void SetJournal(Journal* journal) { journal_ = journal; }
  bool has_journal() const { return journal_ != nullptr; }
  // What the journal of another copy of this database has as that entry, in one transaction.
  // kDataLoss: it does not fit what is here.
  absl::Status Apply(int64_t position, const std::string& entry, const std::string& changeset);
  // Which log, and the last entry of it that is in here.
  absl::StatusOr<JournalMark> Mark();
  absl::Status SetMark(const JournalMark& mark);

 private:
  friend class Transaction;
  friend class Statement;
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, Close> handle_;
  Journal* journal_ = nullptr;
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

// Rolls back unless Commit was called. With a journal, all writes must be within one.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  ~Transaction();
  absl::Status Begin();
  absl::Status Commit();

 private:
  struct Delete {
    void operator()(sqlite3_session* session) const { sqlite3session_delete(session); }
  };
  absl::Status StartSession();
  // True: it was written down.
  absl::StatusOr<bool> WriteDown();

  Database& database_;
  std::unique_ptr<sqlite3_session, Delete> session_;  // While there is a journal.
  bool done_ = false;
};

// What `write` does, in one transaction: all of it or nothing.
template <typename Write>
absl::Status InTransaction(Database& database, Write write) {
  Transaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(write());
  return transaction.Commit();
}

}  // namespace sluice::store
