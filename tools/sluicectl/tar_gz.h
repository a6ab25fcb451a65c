// Files in memory as one .tar.gz: POSIX ustar in gzip, as every tar reads them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::sluicectl {

struct ArchiveFile {
  std::string path;  // Relative, with '/'; at most 255 bytes that ustar can split at a '/'.
  std::string content;
};

// Regular files of mode 0600 that belong to nobody in particular. Fails on paths that do not fit.
absl::StatusOr<std::string> MakeTarGz(const std::vector<ArchiveFile>& files, int64_t unix_seconds);

}  // namespace sluice::sluicectl
