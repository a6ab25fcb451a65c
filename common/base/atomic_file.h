// A file that is there whole or not at all, for content that comes in pieces. WriteFileAtomically
// (file.h) is for content that is at hand.
//
// Blocking; one thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace sluice::base {

// Nothing is at `path` until Commit, and nothing is left of it if that is never called. An existing
// file stays until then.
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path, mode_t mode);
  AtomicFile(AtomicFile&& other) noexcept
      : path_(std::move(other.path_)),
        temporary_(std::exchange(other.temporary_, "")),
        fd_(std::move(other.fd_)) {}
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  absl::Status Append(std::string_view bytes);
  // Where the content is until Commit: for a look at it as a whole.
  const std::string& temporary() const { return temporary_; }
  // After success the file is there even if the machine stops at once.
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, UniqueFd fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string path_, temporary_;  // `temporary_` is empty once it has its name.
  UniqueFd fd_;
};

}  // namespace sluice::base
