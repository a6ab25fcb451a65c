// Applies a watched file or directory, and the certificates it names, whenever they change.
//
// A change that cannot be applied leaves the last good version and shows in the status. A document
// with errors is looked at once more a moment later before that: half-written files are no news.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "controlplane/apply/controller.h"
#include "controlplane/source/file_watcher.h"

namespace sluice::apply {

class WatchedSource {
 public:
  static constexpr std::chrono::milliseconds kSecondLook{300};

  // `controller` must outlive it.
  static absl::StatusOr<std::unique_ptr<WatchedSource>> Start(Controller& controller,
                                                              const std::string& path);

 private:
  WatchedSource(Controller& controller, std::string path)
      : controller_(controller), path_(std::move(path)) {}
  source::WatchNext OnChange();
  v1::ApplyProgress Apply(const v1::Document& document, bool tentative);
  void Report(v1::SourceStatus status);

  Controller& controller_;
  const std::string path_;
  bool second_look_ = false;        // The watcher's thread.
  std::vector<std::string> named_;  // Files of the last document that could be read.
  std::string told_;                // Problems that were logged, so that they are logged once.
  std::unique_ptr<source::FileWatcher> watcher_;
};

}  // namespace sluice::apply
