#include "controlplane/apply/watched_source.h"

#include <fmt/format.h>

#include <filesystem>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "controlplane/source/source_tree.h"

namespace sluice::apply {
namespace {

using Progress = v1::ApplyProgress;

void AddProblem(const std::string& file, const std::string& message, v1::SourceStatus* status) {
  v1::Problem* problem = status->add_problems();
  problem->set_severity(v1::Problem::ERROR);
  problem->set_file(file);
  problem->set_message(message);
}

// Relative ones are meant from the document's folder.
std::vector<std::string> FilesNamedIn(const v1::Document& document) {
  std::vector<std::string> files = build::ReferencedPaths(document);
  const std::filesystem::path folder =
      document.files().empty() ? std::filesystem::path()
                               : std::filesystem::path(document.files(0).path()).parent_path();
  for (std::string& file : files) file = (folder / file).string();  // Absolute ones stand alone.
  return files;
}

// Why what is in the file is not what runs.
void AddRefusal(const std::string& path, const Progress& progress, v1::SourceStatus* status) {
  AddProblem(path, progress.message(), status);
  for (const v1::NodeProgress& node : progress.nodes()) {
    for (const v1::ResourceError& error : node.errors()) {
      AddProblem(
          error.source().empty() ? path : error.source(),
          fmt::format("node {}: {}: {}", node.node_id(), error.resource().name(), error.message()),
          status);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<WatchedSource>> WatchedSource::Start(Controller& controller,
                                                                    const std::string& path) {
  std::unique_ptr<WatchedSource> source(new WatchedSource(controller, path));
  WatchedSource* raw = source.get();
  auto watcher = source::FileWatcher::Start(path, {}, [raw] { return raw->OnChange(); });
  if (!watcher.ok()) return watcher.status();
  source->watcher_ = *std::move(watcher);
  return source;
}

Progress WatchedSource::Apply(const v1::Document& document, bool tentative) {
  ChangeRequest request;
  request.author = std::string(kFileAuthor);
  request.message = path_;
  request.source = "file";
  request.tentative = tentative;
  Progress last;
  controller_.Apply(document, request, [&last](const Progress& progress) {
    last = progress;
    return true;
  });
  return last;
}

source::WatchNext WatchedSource::OnChange() {
  const bool tentative = !second_look_;
  second_look_ = false;
  v1::SourceStatus status;
  status.set_path(path_);
  status.set_checked_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  const auto document = source::ReadDocument(path_);
  if (!document.ok()) {
    AddProblem(path_, std::string(document.status().message()), &status);
  } else {
    const Progress progress = Apply(*document, tentative);
    named_ = FilesNamedIn(*document);
    for (const v1::Problem& problem : progress.problems()) *status.add_problems() = problem;
    status.set_ok(progress.outcome() == Progress::DONE ||
                  progress.outcome() == Progress::UNCHANGED ||
                  progress.outcome() == Progress::TIMED_OUT);
    if (progress.outcome() == Progress::REFUSED) AddRefusal(path_, progress, &status);
    // Only a document that is wrong in itself may be right a moment later.
    if (!status.ok() && progress.outcome() != Progress::INVALID) {
      Report(status);
      return {.also = named_};
    }
  }
  if (!status.ok() && tentative) {
    second_look_ = true;
    return {.also = named_, .again_in = kSecondLook};
  }
  Report(status);
  return {.also = named_};
}

void WatchedSource::Report(v1::SourceStatus status) {
  std::string text;
  for (const v1::Problem& problem : status.problems()) {
    if (problem.severity() != v1::Problem::ERROR) continue;
    text += fmt::format("{}:{}:{}: {}: {}\n", problem.file(), problem.line(), problem.column(),
                        problem.path(), problem.message());
  }
  if (!text.empty() && text != told_) base::LogError("{}", text.substr(0, text.size() - 1));
  told_ = text;
  controller_.SetSourceStatus(std::move(status));
}

}  // namespace sluice::apply
