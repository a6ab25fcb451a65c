#include "common/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/random.h"
#include "common/base/status_macros.h"

namespace sluice::base {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, fmt::format("write {}", path));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& folder) {
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("open folder {}", folder));
  if (fsync(fd.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync folder {}", folder));
  return absl::OkStatus();
}

// Leaves a complete, synced file at `path`, which must not exist.
absl::Status WriteNewFile(const std::string& path, std::string_view bytes, mode_t mode) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("create {}", path));
  RETURN_IF_ERROR(WriteAll(fd.get(), bytes, path));
  // Not left to open(): the umask must not decide who reads it.
  if (fchmod(fd.get(), mode) != 0) return ErrnoStatus(errno, fmt::format("chmod {}", path));
  if (fsync(fd.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", path));
  return absl::OkStatus();
}

}  // namespace

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
  const std::string folder = FolderOf(path);
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty()) return absl::InvalidArgumentError(fmt::format("'{}' names no file", path));

  const std::string temporary = fmt::format("{}/.{}.{:016x}.tmp", folder, name, RandomSeed());
  absl::Status status = WriteNewFile(temporary, bytes, mode);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, fmt::format("rename {} to {}", temporary, path));
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncFolder(folder);
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
