#include "common/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/atomic_file.h"
#include "common/base/status_macros.h"

namespace sluice::base {

void UniqueFd::Reset(int fd) {
  if (fd_ >= 0) {
    const int saved = errno;
    close(fd_);
    errno = saved;
  }
  fd_ = fd;
}

absl::Status ErrnoStatus(int error, std::string_view doing) {
  return absl::ErrnoToStatus(error, {doing.data(), doing.size()});
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer. It means nothing to a regular file.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("open {}", path));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat {}", path));
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("{} is not a regular file", path));
  }

  // The size is a hint: the file may grow, and some kernel files report 0.
  std::string content;
  const size_t hint = static_cast<size_t>(info.st_size) + 1;
  size_t used = 0;
  for (;;) {
    if (used == content.size()) {
      content.resize(used + std::clamp<size_t>(hint, 4096, size_t{1} << 20));
    }
    const ssize_t got = read(fd.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, fmt::format("read {}", path));
    if (got == 0) break;
    used += static_cast<size_t>(got);
    if (used > bytes_max) {
      return absl::ResourceExhaustedError(
          fmt::format("{} has more than the {} bytes allowed", path, bytes_max));
    }
  }
  content.resize(used);
  return content;
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, mode));
  RETURN_IF_ERROR(file.Append(bytes));
  return file.Commit();
}

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return absl::OkStatus();
  if (errno != EEXIST) return ErrnoStatus(errno, fmt::format("mkdir {}", path));
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat {}", path));
  if (S_ISDIR(info.st_mode)) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format("{} exists and is not a directory", path));
}

}  // namespace sluice::base
