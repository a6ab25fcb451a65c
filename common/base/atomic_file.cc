#include "common/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path, mode_t mode) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty()) return absl::InvalidArgumentError(fmt::format("'{}' names no file", path));
  std::string temporary = fmt::format("{}/.{}.{:016x}.tmp", FolderOf(path), name, RandomSeed());
  UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("create {}", temporary));
  AtomicFile file(path, std::move(temporary), std::move(fd));
  // Not left to open(): the umask must not decide who reads it.
  if (fchmod(file.fd_.get(), mode) != 0) {
    return ErrnoStatus(errno, fmt::format("chmod {}", file.temporary_));
  }
  return file;
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFile::Append(std::string_view bytes) {
  return WriteAll(fd_.get(), bytes, temporary_);
}

absl::Status AtomicFile::Commit() {
  if (fsync(fd_.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", temporary_));
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", temporary_, path_));
  }
  temporary_.clear();
  return SyncFolder(FolderOf(path_));
}

}  // namespace sluice::base
