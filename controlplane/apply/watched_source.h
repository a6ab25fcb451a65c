// Applies a watched file or directory whenever it changes.
//
// A change that cannot be applied leaves the last good version and shows in the status. A file that does not parse
// is looked at once more a moment later: half-written files are no news.
#pragma once

#include <memory>
#include <string>

#include "controlplane/apply/controller.h"
#include "controlplane/source/file_watcher.h"

namespace sluice::apply {

class WatchedSource {
 public:
  // `controller` must outlive it.
  static absl::StatusOr<std::unique_ptr<WatchedSource>> Start(Controller& controller,
                                                              const std::string& path);

 private:
  WatchedSource(Controller& controller, std::string path)
      : controller_(controller), path_(std::move(path)) {}
  void OnChange();
  // False: there were problems, now in `status`.
  bool TryApply(v1::SourceStatus* status);

  Controller& controller_;
  const std::string path_;
  std::unique_ptr<source::FileWatcher> watcher_;
};

}  // namespace sluice::apply
