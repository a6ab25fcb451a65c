// sluicectl status: the fleet at a glance.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/problem_text.h"
#include "tools/sluicectl/rollout_text.h"
#include "tools/sluicectl/show.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kLabelColumns = 12;

void AddVersion(Text* text, const v1::FleetStatus& status, int64_t now) {
  text->AddPadded("Version:", kLabelColumns, Style::kBold);
  if (status.version().revision() == 0) {
    text->Add("none yet; 'sluicectl apply -f FILE' makes the first").EndLine();
    return;
  }
  text->Add(fmt::format("{}", status.version().revision()), Style::kCyan);
  text->Add(fmt::format(" (root {}), released {} ago", ShortRoot(status.version().root()),
                        FormatAgeSince(status.released_unix_ms(), now)));
  if (!status.author().empty()) text->Add(fmt::format(" by {}", status.author()));
  text->EndLine();
  if (status.message().empty()) return;
  text->AddPadded("Message:", kLabelColumns, Style::kBold).Add(status.message()).EndLine();
}

void AddNodeCounts(Text* text, const v1::FleetStatus& status) {
  std::map<v1::NodeStatus::State, int> counts;
  for (const auto& node : status.nodes()) ++counts[node.state()];
  text->AddPadded("Nodes:", kLabelColumns, Style::kBold)
      .Add(fmt::format("{}", status.nodes_size()));
  bool first = true;
  for (const auto& [state, count] : counts) {
    text->Add(first ? " (" : ", ")
        .Add(fmt::format("{} {}", count, StateName(state)), StateStyle(state));
    first = false;
  }
  text->Add(first ? "" : ")").EndLine();
}

void AddRollout(Text* text, const v1::Rollout& rollout) {
  if (rollout.waves_size() == 0) return;
  text->AddPadded("Rollout:", kLabelColumns, Style::kBold);
  text->Add(fmt::format("version {}: ", rollout.version().revision()));
  text->Add(RolloutSummary(rollout), RolloutStyle(rollout.state()));
  if (!rollout.reason().empty()) text->Add(": ").Add(rollout.reason());
  text->Add("; 'sluicectl rollout status' has the figures").EndLine();
}

void AddSource(Text* text, const v1::SourceStatus& source, int64_t now) {
  text->AddPadded("Source:", kLabelColumns, Style::kBold);
  if (source.path().empty()) {
    text->Add("no file is watched; changes come by 'sluicectl apply'").EndLine();
    return;
  }
  text->Add(source.path()).Add(", ");
  text->Add(source.ok() ? "as released" : "NOT what runs",
            source.ok() ? Style::kGreen : Style::kRed);
  if (source.checked_unix_ms() != 0) {
    text->Add(fmt::format(", checked {} ago", FormatAgeSince(source.checked_unix_ms(), now)));
  }
  text->EndLine();
  for (const auto& problem : source.problems()) AppendProblem(text, problem, nullptr);
}

void AddRejections(Text* text, const v1::FleetStatus& status) {
  for (const auto& node : status.nodes()) {
    if (node.state() == v1::NodeStatus::SYNCED) continue;
    if (!node.reason().empty()) {
      text->Add(node.node_id(), Style::kBold)
          .Add(": ")
          .Add(node.reason(), StateStyle(node.state()));
      text->EndLine();
    }
    for (const auto& error : node.errors()) {
      text->Add("  ").Add(error.source()).Add(error.source().empty() ? "" : ": ");
      text->Add(fmt::format("{} {}: {}", v1::ResourceKind_Name(error.resource().kind()),
                            error.resource().name(), error.field()));
      text->Add(": ").Add(error.message()).EndLine();
    }
  }
}

Text StatusText(const v1::FleetStatus& status, int64_t now, bool wide) {
  Text text;
  AddVersion(&text, status, now);
  AddRollout(&text, status.rollout());
  AddNodeCounts(&text, status);
  AddSource(&text, status.source(), now);
  text.AddPadded("Controller:", kLabelColumns, Style::kBold);
  text.Add(fmt::format("{}, up {}", status.controller_version(),
                       FormatAge(static_cast<int64_t>(status.controller_uptime_seconds()))));
  text.EndLine().EndLine();
  text.Append(NodesText(status, now, wide));
  AddRejections(&text, status);
  return text;
}

ExitCode Run(bool watch, Session& session) {
  Subject subject;
  const bool wide = session.wide();
  subject.fetch = [wide](ControllerClient&, const v1::FleetStatus& status) -> absl::StatusOr<View> {
    const auto shared = std::make_shared<const v1::FleetStatus>(status);
    return View{[shared, wide](int64_t now) { return StatusText(*shared, now, wide); },
                [shared] { return ToJson(*shared); }};
  };
  return Show(session, subject, watch);
}

}  // namespace

Command StatusCommand() {
  auto watch = std::make_shared<bool>(false);
  Command command;
  command.name = "status";
  command.summary = "Show which version runs, on which nodes, and what stands in the way";
  command.flags = {{"-w,--watch", "", "Go on: show it again after every change", watch.get()}};
  command.run = [watch](Session& session) { return Run(*watch, session); };
  return command;
}

}  // namespace sluice::sluicectl
