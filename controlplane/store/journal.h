// Where a store's transactions are written down, for others to repeat, before they count.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sluice::store {

// How far a copy of the store is in the log that several share.
struct JournalMark {
  static constexpr int64_t kNone = -1;
  std::string log;           // Its id.
  int64_t position = kNone;  // kNone: it is in no log, or has left it. Without a gap otherwise.
  std::string entry;         // The id of the entry there; empty: the log begins here.
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Called from within a transaction, one at a time: what it changes, as SQLite's session extension
  // writes it, to follow the entry `last`. The new entry's id: others have it for good, and the
  // transaction is committed. Otherwise it is rolled back; kUnavailable: whether others have it is
  // not known.
  virtual absl::StatusOr<std::string> Append(const JournalMark& last, std::string changeset) = 0;

  // What was written down could not be committed here: this store is behind, and must be left to be
  // brought forward.
  virtual void OnBehind(const absl::Status& why) = 0;
};

}  // namespace sluice::store
