// A copy of the store of one moment, as the file that proto/sluice/v1/backup.proto describes.
//
// Blocking. A store that is in use may be copied: SQLite's online backup reads it beside the
// controller, whose writes do not wait for it.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "controlplane/store/database.h"
#include "sluice/v1/backup.pb.h"

namespace sluice::store {

inline constexpr uint32_t kBackupFormatVersion = 1;
inline constexpr std::string_view kBackupMagic = "sluice backup 1\n";
inline constexpr size_t kBackupHeaderBytesMax = size_t{1} << 20;

class Backup {
 public:
  // Copies what the data directory holds. The copy lies there too, without a name, until this
  // object goes.
  static absl::StatusOr<Backup> Take(const std::string& directory);

  const v1::BackupHeader& header() const { return header_; }

  // The next piece of the file, at most `bytes_max`; empty: that was all.
  absl::StatusOr<std::string> Next(size_t bytes_max);

 private:
  struct Source {
    base::UniqueFd fd;
    uint64_t bytes = 0;
    std::string content;  // Instead of `fd`, for what is small.
  };
  Backup() = default;
  absl::Status ReadHeaderFrom(Database& copy);
  absl::Status AddHead();

  v1::BackupHeader header_;
  std::vector<Source> sources_;  // In the order of the header; the first is the file's own head.
  size_t source_ = 0;            // Which of them Next reads, and from where.
  uint64_t offset_ = 0;
};

// Reads a whole file and believes nothing in it: kDataLoss when it was cut short or altered,
// kFailedPrecondition when a newer release wrote it, kInvalidArgument when it is no backup at all.
// Messages name the file and say what to do.
absl::StatusOr<v1::BackupHeader> CheckBackup(const std::string& path);

// CheckBackup, then writes the files that it lists below `directory`, which exists.
absl::StatusOr<v1::BackupHeader> ExtractBackup(const std::string& path,
                                               const std::string& directory);

}  // namespace sluice::store
