// sluicectl validate: everything the controller would say of a document, without a controller.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/build/snapshot_builder.h"
#include "tools/sluicectl/document.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/problem_text.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

// What a hostile document may print; the counts stay true.
constexpr size_t kProblemsShownMax = 1000;

void PrintText(const build::BuildResult& result, const v1::Document& document,
               const Session& session) {
  const bool show_source = session.console().out_is_terminal || session.wide();
  const SourceLines lines(document);
  Text text;
  const size_t shown = std::min(result.problems.size(), kProblemsShownMax);
  for (size_t i = 0; i < shown; ++i) {
    AppendProblem(&text, result.problems[i], show_source ? &lines : nullptr);
  }
  if (shown < result.problems.size()) {
    text.Line(fmt::format("... and {} more", result.problems.size() - shown));
  }
  const auto errors = static_cast<uint64_t>(
      std::count_if(result.problems.begin(), result.problems.end(),
                    [](const auto& problem) { return problem.severity() == v1::Problem::ERROR; }));
  text.Add(result.ok() ? "valid: " : "invalid: ", result.ok() ? Style::kGreen : Style::kRed);
  text.Add(fmt::format("{}, {}, {} run", Count(errors, "error"),
                       Count(result.problems.size() - errors, "warning"),
                       Count(static_cast<uint64_t>(result.tests_run), "test")));
  session.Print(text.EndLine());
}

ExitCode Run(const std::string& path, Session& session) {
  auto document = LoadDocument(path, session.console());
  if (!document.ok())
    return session.Fail(ExitCode::kFailed, std::string(document.status().message()));
  const build::BuildResult result = build::BuildSnapshot(*document);
  if (IsForPeople(session.format())) {
    PrintText(result, *document, session);
  } else {
    Json array = Json::array();
    for (const v1::Problem& problem : result.problems) array.push_back(ToJson(problem));
    session.PrintJson(array);
  }
  return result.ok() ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

Command ValidateCommand() {
  auto path = std::make_shared<std::string>();
  Command command;
  command.name = "validate";
  command.summary = "Check a configuration, and run its tests, without a controller";
  command.details =
      "Prints every problem as file:line:column: severity: path: message; on a terminal or with -o "
      "wide the line at fault below it. -o json prints an array of problems. Warnings alone exit "
      "0.";
  command.flags = {{"-f,--file",
                    "FILE|DIR",
                    "YAML file, directory of them, or - for standard input",
                    path.get(),
                    {},
                    true}};
  command.run = [path](Session& session) { return Run(*path, session); };
  return command;
}

}  // namespace sluice::sluicectl
