#include "controlplane/store/data_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "common/base/status_macros.h"

namespace sluice::store {
namespace {

constexpr size_t kFilesMax = 256;
constexpr uint64_t kFileBytesMax = uint64_t{16} << 20;
constexpr int kDepthMax = 2;

// What a backup or a restore was killed over: never whole, and it may hold keys.
void RemoveLeftovers(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (!it->path().filename().string().starts_with(kTemporaryPrefix)) continue;
    std::error_code ignored;
    std::filesystem::remove_all(it->path(), ignored);
  }
}

bool BelongsToDatabase(const std::string& name) {
  return name == kDatabaseName || name.starts_with(std::string(kDatabaseName) + "-");
}

// Of what lies at the top of the directory.
bool IsForBackups(const std::string& name) {
  return name != "lock" && name != kSealKeyName && name != kOperatorFolder &&
         !BelongsToDatabase(name) && !name.starts_with(kReplacedPrefix);
}

}  // namespace

absl::StatusOr<base::UniqueFd> OpenPrivate(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, "open " + path);
  if (fchmod(fd.get(), 0600) != 0) return base::ErrnoStatus(errno, "chmod " + path);
  return fd;
}

absl::StatusOr<base::UniqueFd> LockDataFolder(const std::string& directory) {
  const std::filesystem::path parent =
      (std::filesystem::path(directory) / "").parent_path().parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  RETURN_IF_ERROR(base::MakeDirectory(directory, 0700));
  if (chmod(directory.c_str(), 0700) != 0) return base::ErrnoStatus(errno, "chmod " + directory);
  ASSIGN_OR_RETURN(base::UniqueFd lock, OpenPrivate(directory + "/lock"));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(fmt::format(
        "the data directory {} is in use by another sluice-controller: stop it or give another "
        "--data-dir",
        directory));
  }
  RemoveLeftovers(directory);
  return lock;
}

bool IsDataPath(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string::npos) return false;
  const std::filesystem::path parts(path);
  for (const std::filesystem::path& part : parts) {
    const std::string name = part.string();
    if (name.empty() || name.front() == '.') return false;
  }
  return path == kDatabaseName || IsForBackups(parts.begin()->string());
}

absl::StatusOr<std::vector<DataFile>> OtherDataFiles(const std::string& directory) {
  std::vector<DataFile> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(directory, error), end;
  for (; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool wanted = !name.starts_with('.') && (it.depth() > 0 || IsForBackups(name));
    if (it->is_directory(error) && (!wanted || it.depth() + 1 >= kDepthMax)) {
      it.disable_recursion_pending();
    }
    if (!wanted || !std::filesystem::is_regular_file(it->symlink_status(error))) continue;
    const uint64_t bytes = it->file_size(error);
    if (error) break;
    if (bytes > kFileBytesMax || files.size() == kFilesMax) {
      return absl::ResourceExhaustedError(fmt::format(
          "{} is more than a backup takes beside the store ({} files of {} bytes each): move it "
          "out of the data directory",
          it->path().string(), kFilesMax, kFileBytesMax));
    }
    files.push_back({it->path().lexically_relative(directory).string(), bytes});
  }
  if (error) return base::ErrnoStatus(error.value(), "list " + directory);
  std::sort(files.begin(), files.end(),
            [](const DataFile& a, const DataFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace sluice::store
