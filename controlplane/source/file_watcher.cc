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
#include <vector>

#include "common/base/clock.h"
#include "common/base/file.h"

namespace sluice::source {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

std::string FingerprintOfFile(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return fmt::format("{}: {}\n", path, errno);
  return fmt::format("{}: {} {} {} {}.{:09}\n", path, info.st_dev, info.st_ino, info.st_size,
                     info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

// Changes whenever what would be read may have changed.
std::string Fingerprint(const std::string& path) {
  std::error_code error;
  std::string fingerprint = FingerprintOfFile(path);
  if (!fs::is_directory(path, error)) return fingerprint;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().string());
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) fingerprint += FingerprintOfFile(name);
  return fingerprint;
}

}  // namespace

class FileWatcher::Impl {
 public:
  Impl(std::string path, FileWatcherOptions options, std::function<void()> on_change)
      : path_(std::move(path)),
        options_(options),
        on_change_(std::move(on_change)),
        inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
        stop_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  ~Impl() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

  bool valid() const { return inotify_.valid() && stop_.valid(); }
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  // The folder is watched, not the file: a file that is replaced is another file.
  void Watch() {
    std::error_code error;
    const bool directory = fs::is_directory(path_, error);
    fs::path folder = directory ? fs::path(path_) : fs::path(path_).parent_path();
    if (folder.empty()) folder = ".";
    inotify_add_watch(inotify_.get(), folder.c_str(),
                      kEvents);  // Failing, the checks by time remain.
    if (!directory) inotify_add_watch(inotify_.get(), path_.c_str(), kEvents);
  }

  enum class Woken { kTime, kEvent, kStop };
  Woken Sleep(std::chrono::milliseconds time) {
    pollfd fds[] = {{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    poll(fds, 2, static_cast<int>(time.count()));
    if (fds[1].revents != 0) return Woken::kStop;
    if (fds[0].revents == 0) return Woken::kTime;
    alignas(inotify_event) char events[4096];
    while (read(inotify_.get(), events, sizeof events) > 0) {
    }
    return Woken::kEvent;
  }

  void Run() {
    Watch();
    std::string known = Fingerprint(path_);
    on_change_();
    for (;;) {
      const Woken woken = Sleep(options_.check_interval);
      if (woken == Woken::kStop) return;
      std::string now = Fingerprint(path_);
      if (now == known) continue;
      // Somebody is writing: wait until they have stopped.
      for (std::string before; before != now;) {
        before = now;
        if (Sleep(options_.debounce) == Woken::kStop) return;
        now = Fingerprint(path_);
      }
      Watch();  // The folder may be a new one.
      known = now;
      on_change_();
    }
  }

  const std::string path_;
  const FileWatcherOptions options_;
  const std::function<void()> on_change_;
  const base::UniqueFd inotify_, stop_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<FileWatcher>> FileWatcher::Start(const std::string& path,
                                                                FileWatcherOptions options,
                                                                std::function<void()> on_change) {
  auto impl = std::make_unique<Impl>(path, options, std::move(on_change));
  if (!impl->valid()) return base::ErrnoStatus(errno, "inotify");
  impl->Start();
  return std::unique_ptr<FileWatcher>(new FileWatcher(std::move(impl)));
}

FileWatcher::FileWatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileWatcher::~FileWatcher() = default;

}  // namespace sluice::source
