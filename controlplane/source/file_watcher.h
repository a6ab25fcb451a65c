// Watches a configuration file or directory, and the files it refers to, and says when what would
// be read may have changed.
//
// inotify tells at once; modification times, sizes and inodes are compared every few seconds as
// well, since inotify sees nothing on network file systems or behind replaced mounts. Editors that
// write beside and rename, symbolic links that are switched (Kubernetes), files that vanish and
// come back: all are changes of the fingerprint.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::source {

struct FileWatcherOptions {
  std::chrono::milliseconds check_interval{5000};
  std::chrono::milliseconds debounce{100};  // Quiet for so long before anybody is told.
  std::chrono::milliseconds patience{
      2000};  // For a writer who never stops; then it is told anyway.
};

// What the callback wants next.
struct WatchNext {
  std::vector<std::string> also;  // Files watched besides, until the next call.
  // Call again after this, whether or not anything changes.
  std::optional<std::chrono::milliseconds> again_in;
};

class FileWatcher {
 public:
  // `on_change` runs on the watcher's thread: once at the start, then after every change.
  using OnChange = std::function<WatchNext()>;
  static absl::StatusOr<std::unique_ptr<FileWatcher>> Start(const std::string& path,
                                                            FileWatcherOptions options,
                                                            OnChange on_change);
  ~FileWatcher();  // Waits for an `on_change` that runs.

 private:
  class Impl;
  explicit FileWatcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::source
