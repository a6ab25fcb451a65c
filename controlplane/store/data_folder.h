// The controller's data directory: who may use it, and what in it is worth a copy.
//
// Blocking; for start-up and tools.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace sluice::store {

inline constexpr char kDatabaseName[] = "sluice.db";
// What secrets at rest are sealed with, where no key is given from elsewhere.
inline constexpr char kSealKeyName[] = "seal.key";
// The credential of an admin on this machine, with its key in the clear. The controller makes it
// whenever it is not there.
inline constexpr char kOperatorFolder[] = "operator";

// Makes `directory` (0700, also where it was there with more; folders above it as usual) and locks
// it for as long as the descriptor lives. Refuses one that a controller uses. What an interrupted
// backup or restore left behind is removed.
absl::StatusOr<base::UniqueFd> LockDataFolder(const std::string& directory);

// Opens or makes a file that only its owner reads.
absl::StatusOr<base::UniqueFd> OpenPrivate(const std::string& path);

struct DataFile {
  std::string path;  // Below the directory.
  uint64_t bytes = 0;
};

// Everything that belongs to the controller beside its database (such as its authority's key, which
// is sealed), at most two folders deep, sorted. Locks, what is only temporary, and what a restore
// has set aside are left out, and so is what would open the rest: kSealKeyName, kOperatorFolder.
// kResourceExhausted where there is more than a backup may hold.
absl::StatusOr<std::vector<DataFile>> OtherDataFiles(const std::string& directory);

// The database, or a path as OtherDataFiles gives them: relative, without dots that lead elsewhere
// or hide it, and nothing of what is left out.
bool IsDataPath(const std::string& path);

// What is only for a while begins so.
inline constexpr char kTemporaryPrefix[] = ".tmp-";
// What a restore replaced is kept below folders of this name.
inline constexpr char kReplacedPrefix[] = "replaced-";

}  // namespace sluice::store
