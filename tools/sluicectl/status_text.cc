#include "tools/sluicectl/status_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/problem_text.h"
#include "tools/sluicectl/rollout_text.h"
#include "tools/sluicectl/verdict.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kLabelColumns = 12;
constexpr size_t kFindingsShown = 5;

// The first line says whether all is well; the others say what else is not.
void AddVerdict(Text* text, const v1::FleetStatus& status, int64_t now) {
  const std::vector<Finding> findings = JudgeFleet(status, now);
  text->AddPadded("Fleet:", kLabelColumns, Style::kBold);
  text->Add(VerdictLine(status, findings), VerdictStyle(findings)).EndLine();
  for (size_t i = 1; i < std::min(findings.size(), kFindingsShown); ++i) {
    text->AddPadded("", kLabelColumns);
    text->Add(findings[i].what, findings[i].urgent ? Style::kRed : Style::kYellow);
    text->Add("; next: ").Add(findings[i].next).EndLine();
  }
  if (findings.size() <= kFindingsShown) return;
  text->AddPadded("", kLabelColumns);
  text->Add(fmt::format("and {} more", findings.size() - kFindingsShown)).EndLine();
}

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

}  // namespace

Text StatusText(const v1::FleetStatus& status, int64_t now_unix_ms, bool wide) {
  Text text;
  AddVerdict(&text, status, now_unix_ms);
  AddVersion(&text, status, now_unix_ms);
  AddRollout(&text, status.rollout());
  AddNodeCounts(&text, status);
  AddSource(&text, status.source(), now_unix_ms);
  text.AddPadded("Controller:", kLabelColumns, Style::kBold);
  text.Add(fmt::format("{}, up {}", status.controller_version(),
                       FormatAge(static_cast<int64_t>(status.controller_uptime_seconds()))));
  text.EndLine().EndLine();
  text.Append(NodesText(status, now_unix_ms, wide));
  AddRejections(&text, status);
  return text;
}

}  // namespace sluice::sluicectl
