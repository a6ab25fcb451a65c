// Descriptors that close themselves, and whole files read and replaced safely.
//
// Blocking: for start-up, control threads and tools, never for a worker.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sluice::base {

// Owns one descriptor. Closing keeps errno, so it may go out of scope on an error path.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }

  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

// "open /x/y: No such file or directory", with the status code that fits `error` (an errno value).
absl::Status ErrnoStatus(int error, std::string_view doing);

// Refuses files over `bytes_max` (kResourceExhausted) and anything but regular files (a FIFO or a
// device could block or never end).
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max);

// After success the file has the new content even if the machine stops at once; after a failure it
// has the old content. Other readers see one or the other, never a mixture. An existing file is
// replaced, also when it is a symbolic link (the link goes, its target stays).
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode);

// One level; an existing directory is success (its mode is left alone).
absl::Status MakeDirectory(const std::string& path, mode_t mode);

}  // namespace sluice::base
