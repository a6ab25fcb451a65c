// Puts a backup in the place of a data directory.
//
// Blocking; without a controller: the directory is locked meanwhile.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "sluice/v1/backup.pb.h"

namespace sluice::store {

struct RestoreOptions {
  // Also where the directory holds something: that is kept, below it, under replaced-TIME.
  bool force = false;
  std::string author;  // For the audit log.
};

// Where the key is that the backup's secrets are sealed with, which is in no backup.
enum class SealKey : uint8_t {
  kNone,     // Nothing is sealed.
  kInPlace,  // It lies in the directory, and stays there.
  kMissing,  // Not in the directory; the controller may be given it from elsewhere.
  kOther,    // The one in the directory is another, and is set aside.
};

struct RestoredStore {
  v1::BackupHeader header;
  uint64_t epoch = 0;    // The new one.
  std::string replaced;  // Where what was there before is now; empty: there was nothing.
  SealKey seal_key = SealKey::kNone;
};

// Everything is checked before anything is touched. The store gets a new epoch: its revisions go on
// from where the backup ended, while nodes may have seen these numbers with other content; the
// epoch tells the two lives apart. A rollout in waves that was under way is aborted, since it knows
// nothing of what the nodes have now. Join tokens that had not been used are revoked: nobody can
// tell whether they were since. The other seal key is kFailedPrecondition unless forced.
absl::StatusOr<RestoredStore> RestoreBackup(const std::string& path, const std::string& directory,
                                            const RestoreOptions& options);

}  // namespace sluice::store
