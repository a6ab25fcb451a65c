#include "controlplane/source/file_watcher.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "controlplane/source/source_tree.h"

namespace sluice::source {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kCallsMax = 3;   // One after the other, while the list of files goes on changing.
constexpr int kLinksMax = 16;  // Of one path; more is a loop.

std::string FingerprintOfFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fmt::format("{}: {}\n", path, errno);
  return fmt::format("{}: {} {} {} {}.{:09}\n", path, info.st_dev, info.st_ino, info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

// Of a directory only what would be read: a log that grows beside the documents is no change.
std::string FingerprintOfSource(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return FingerprintOfFile(path);
  std::vector<std::string> names;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (IsYamlName(entry->path().filename().string())) names.push_back(entry->path().string());
  }
  std::sort(names.begin(), names.end());
  std::string fingerprint = path + "/\n";
  for (const std::string& name : names) fingerprint += FingerprintOfFile(name);
  return fingerprint;
}

fs::path FolderOf(const fs::path& path) {
  const fs::path folder = path.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

}  // namespace

class FileWatcher::Impl {
 public:
  Impl(std::string path, FileWatcherOptions options, OnChange on_change)
      : path_(std::move(path)),
        options_(options),
        on_change_(std::move(on_change)),
        inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
        stop_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  ~Impl() {
    if (!thread_.joinable()) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

  bool valid() const { return inotify_.valid() && stop_.valid(); }
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  std::string Fingerprint() const {
    std::string fingerprint = FingerprintOfSource(path_);
    for (const std::string& file : next_.also) fingerprint += FingerprintOfFile(file);
    return fingerprint;
  }

  // The folders are watched, not the files: a file that is replaced is another file. Failing, the
  // checks by time remain.
  void WatchFoldersOf(fs::path path) {
    for (int link = 0; link < kLinksMax; ++link) {
      inotify_add_watch(inotify_.get(), FolderOf(path).c_str(), kEvents);
      std::error_code error;
      const fs::path target = fs::read_symlink(path, error);
      if (error) return;
      path = FolderOf(path) / target;  // An absolute target stands alone.
    }
  }

  void Watch() {
    WatchFoldersOf(path_);
    std::error_code error;
    if (fs::is_directory(path_, error)) {
      inotify_add_watch(inotify_.get(), path_.c_str(), kEvents);
    }
    for (const std::string& file : next_.also) WatchFoldersOf(file);
  }

  // False: it is time to stop.
  bool Sleep(milliseconds time, bool until_event) {
    const int64_t end_ms = base::MonotonicMillis() + time.count();
    for (;;) {
      const int64_t left_ms = std::max<int64_t>(end_ms - base::MonotonicMillis(), 0);
      pollfd fds[] = {{stop_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
      poll(fds, until_event ? 2 : 1, static_cast<int>(left_ms));
      if (fds[0].revents != 0) return false;
      if (until_event && fds[1].revents != 0) {
        Drain();
        return true;
      }
      if (left_ms == 0) return true;
    }
  }

  void Drain() {
    alignas(inotify_event) char events[4096];
    while (read(inotify_.get(), events, sizeof events) > 0) {
    }
  }

  // Somebody is writing: waits until they have stopped for a while. False: it is time to stop.
  bool Settle(std::string* fingerprint) {
    const int64_t end_ms = base::MonotonicMillis() + options_.patience.count();
    for (std::string before; before != *fingerprint && base::MonotonicMillis() < end_ms;) {
      before = *fingerprint;
      if (!Sleep(options_.debounce, /*until_event=*/false)) return false;
      Drain();
      *fingerprint = Fingerprint();
    }
    return true;
  }

  void Run() {
    Watch();
    std::string known = Tell();
    for (;;) {
      const milliseconds time = next_.again_in ? std::min(*next_.again_in, options_.check_interval)
                                               : options_.check_interval;
      const int64_t start_ms = base::MonotonicMillis();
      if (!Sleep(time, /*until_event=*/true)) return;
      bool again = false;
      if (next_.again_in) {
        *next_.again_in -= milliseconds(base::MonotonicMillis() - start_ms);
        again = next_.again_in->count() <= 0;
      }
      std::string now = Fingerprint();
      if (now == known && !again) continue;
      if (now != known && !Settle(&now)) return;
      Watch();  // The folder may be a new one.
      known = Tell();
    }
  }

  // What is compared with later is taken before it is read: a change in between is noticed then.
  // Files that are watched from now on were read before they were; hence once more.
  std::string Tell() {
    for (int call = 0;; ++call) {
      std::string fingerprint = Fingerprint();
      const std::vector<std::string> before = next_.also;
      next_ = on_change_();
      if (next_.also == before || call == kCallsMax) return fingerprint;
      Watch();
    }
  }

  const std::string path_;
  const FileWatcherOptions options_;
  const OnChange on_change_;
  const base::UniqueFd inotify_, stop_;
  WatchNext next_;  // The thread's own.
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<FileWatcher>> FileWatcher::Start(const std::string& path,
                                                                FileWatcherOptions options,
                                                                OnChange on_change) {
  auto impl = std::make_unique<Impl>(path, options, std::move(on_change));
  if (!impl->valid()) return base::ErrnoStatus(errno, "inotify");
  impl->Start();
  return std::unique_ptr<FileWatcher>(new FileWatcher(std::move(impl)));
}

FileWatcher::FileWatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileWatcher::~FileWatcher() = default;

}  // namespace sluice::source
