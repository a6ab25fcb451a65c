// Where a store's transactions are written down, for others to repeat, before they count.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace sluice::store {

class Journal {
 public:
  virtual ~Journal() = default;

  // Called from within a transaction, one at a time: what it changes, as SQLite's session extension
  // writes it. Positions follow each other without a gap. OK: others have it for good, and the
  // transaction is committed. Otherwise it is rolled back; whether others have it may be unknown.
  virtual absl::Status Append(int64_t position, std::string changeset) = 0;

  // What was written down could not be committed here: this store is behind, and must be left to be
  // brought forward.
  virtual void OnBehind(const absl::Status& why) = 0;
};

}  // namespace sluice::store
