// sluicectl diff: what an apply would change, or what changed between two versions.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/change_text.h"
#include "tools/sluicectl/document.h"
#include "tools/sluicectl/problem_text.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string path;
  uint64_t from = 0;
  uint64_t to = 0;
};

bool HasError(const v1::DiffResponse& response) {
  return std::any_of(response.problems().begin(), response.problems().end(),
                     [](const auto& problem) { return problem.severity() == v1::Problem::ERROR; });
}

void PrintProblems(const v1::DiffResponse& response, const v1::Document& document,
                   const Session& session) {
  if (response.problems().empty()) return;
  const SourceLines lines(document);
  const bool show_source = session.console().error_is_terminal || session.wide();
  Text text;
  for (const auto& problem : response.problems()) {
    AppendProblem(&text, problem, show_source ? &lines : nullptr);
  }
  session.console().PrintError(text);
}

ExitCode Run(const Options& options, Session& session) {
  if (options.path.empty() == (options.from == 0)) {
    return session.Fail(ExitCode::kUsage, "give either -f FILE or --from N [--to M]");
  }
  if (!options.path.empty() && options.to != 0) {
    return session.Fail(ExitCode::kUsage, "--to goes with --from, not with -f");
  }
  v1::DiffRequest request;
  request.set_from_revision(options.from);
  request.set_to_revision(options.to);
  if (!options.path.empty()) {
    auto document = LoadWithReferenced(options.path, session.console());
    if (!document.ok())
      return session.Fail(ExitCode::kFailed, std::string(document.status().message()));
    *request.mutable_document() = *std::move(document);
  }
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  const auto response = client->Diff(request);
  if (!response.ok()) return session.Fail(response.status());
  PrintProblems(*response, request.document(), session);
  if (!IsForPeople(session.format())) session.PrintJson(ToJson(*response));
  if (HasError(*response)) {
    return session.Fail(ExitCode::kFailed, "the document has errors; no difference was made");
  }
  if (!IsForPeople(session.format())) return ExitCode::kDone;
  Text text = ChangesText(response->changes());
  text.Add(response->changes().empty() ? "no difference" : CountChanges(response->changes()));
  if (response->against_revision() != 0) {
    text.Add(fmt::format(" against version {}", response->against_revision()));
  }
  session.Print(text.EndLine());
  return ExitCode::kDone;
}

}  // namespace

Command DiffCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "diff";
  command.summary = "Show what an apply would change, or what changed between two versions";
  command.details =
      "Private keys appear as digests only. Exits 0 whether or not there is a difference.";
  command.flags = {{"-f,--file", "FILE|DIR",
                    "YAML file, directory of them, or - for standard input: compared with "
                    "the current version",
                    &options->path},
                   {"--from", "N", "Version to compare from", &options->from},
                   {"--to", "M", "Version to compare to (default: the current one)", &options->to}};
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
