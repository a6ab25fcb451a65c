#include "controlplane/apply/watched_source.h"

#include <thread>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "controlplane/source/source_tree.h"

namespace sluice::apply {
namespace {

constexpr std::chrono::milliseconds kSecondLook{300};

void AddProblem(const std::string& file, const std::string& message, v1::SourceStatus* status) {
  v1::Problem* problem = status->add_problems();
  problem->set_severity(v1::Problem::ERROR);
  problem->set_file(file);
  problem->set_message(message);
}

bool HasErrors(const v1::ValidateResponse& response) {
  for (const v1::Problem& problem : response.problems()) {
    if (problem.severity() == v1::Problem::ERROR) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WatchedSource>> WatchedSource::Start(Controller& controller,
                                                                    const std::string& path) {
  std::unique_ptr<WatchedSource> source(new WatchedSource(controller, path));
  WatchedSource* raw = source.get();
  auto watcher = source::FileWatcher::Start(path, {}, [raw] { raw->OnChange(); });
  if (!watcher.ok()) return watcher.status();
  source->watcher_ = *std::move(watcher);
  return source;
}

bool WatchedSource::TryApply(v1::SourceStatus* status) {
  status->set_path(path_);
  status->set_checked_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  auto document = source::ReadDocument(path_);
  if (!document.ok()) {
    AddProblem(path_, std::string(document.status().message()), status);
    return false;
  }
  ChangeRequest request;
  request.author = "file";
  request.message = path_;
  request.source = "file";
  bool good = false;
  controller_.Apply(*document, request, [&](const v1::ApplyProgress& progress) {
    good = progress.outcome() == v1::ApplyProgress::DONE ||
           progress.outcome() == v1::ApplyProgress::UNCHANGED;
    status->clear_problems();
    for (const v1::Problem& problem : progress.problems()) *status->add_problems() = problem;
    if (progress.outcome() != v1::ApplyProgress::REFUSED) return true;
    AddProblem(path_, progress.message(), status);
    for (const v1::NodeProgress& node : progress.nodes()) {
      for (const v1::ResourceError& error : node.errors()) {
        AddProblem(error.source().empty() ? path_ : error.source(),
                   "node " + node.node_id() + ": " + error.resource().name() + ": " + error.message(),
                   status);
      }
    }
    return true;
  });
  return good;
}

void WatchedSource::OnChange() {
  v1::SourceStatus status;
  // Validated first: a document that is wrong only for a moment leaves no trace.
  const auto first = source::ReadDocument(path_);
  if (!first.ok() || HasErrors(controller_.Validate(*first))) {
    std::this_thread::sleep_for(kSecondLook);
  }
  const bool good = TryApply(&status);
  status.set_ok(good);
  if (!good) {
    for (const v1::Problem& problem : status.problems()) {
      base::LogError("{}:{}:{}: {}: {}", problem.file(), problem.line(), problem.column(), problem.path(),
                     problem.message());
    }
  }
  controller_.SetSourceStatus(status);
}

}  // namespace sluice::apply
