#include "tools/sluicectl/rollout_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/sluicectl/format.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kLabelColumns = 12;
constexpr int kNodesNamed = 6;

std::string StateWord(v1::Rollout::State state) {
  switch (state) {
    case v1::Rollout::RELEASING:
      return "releasing";
    case v1::Rollout::BAKING:
      return "baking";
    case v1::Rollout::PAUSED:
      return "paused";
    case v1::Rollout::AWAITING:
      return "awaiting promotion";
    case v1::Rollout::COMPLETED:
      return "completed";
    case v1::Rollout::FAILED:
      return "failed, taken back";
    case v1::Rollout::ABORTED:
      return "aborted, taken back";
    case v1::Rollout::SUPERSEDED:
      return "superseded";
    default:
      return "none";
  }
}

std::string WaveState(const v1::Rollout& rollout, int index) {
  const v1::RolloutWave& wave = rollout.waves(index);
  if (wave.started_unix_ms() == 0) return "waiting";
  if (IsOver(rollout.state()) && rollout.state() != v1::Rollout::COMPLETED) return "taken back";
  return wave.ended_unix_ms() != 0 ? "passed" : StateWord(rollout.state());
}

std::string NodeNames(const v1::RolloutWave& wave) {
  std::string names;
  for (int i = 0; i < std::min(wave.node_ids_size(), kNodesNamed); ++i) {
    names += (i == 0 ? "" : ", ") + wave.node_ids(i);
  }
  if (wave.node_ids_size() > kNodesNamed) {
    names += fmt::format(" and {} more", wave.node_ids_size() - kNodesNamed);
  }
  return names;
}

void AddFindings(Text* text, const v1::RolloutWave& wave) {
  for (const v1::RolloutFinding& finding : wave.findings()) {
    text->Add("      ").AddPadded(finding.gate(), kLabelColumns,
                                  finding.passed() ? Style::kGreen : Style::kRed);
    if (!finding.node_id().empty()) text->Add(fmt::format("node {}: ", finding.node_id()));
    text->Add(finding.message()).EndLine();
  }
}

std::string NextStep(const v1::Rollout& rollout) {
  switch (rollout.state()) {
    case v1::Rollout::PAUSED:
      return "'sluicectl rollout resume' judges the wave anew, 'promote' releases the next, "
             "'abort' "
             "takes all back";
    case v1::Rollout::AWAITING:
      return "'sluicectl rollout promote' releases the next wave, 'abort' takes all back";
    case v1::Rollout::FAILED:
    case v1::Rollout::ABORTED:
      return "mend the cause and apply again, or 'sluicectl rollout retry' for the same content";
    default:
      return "";
  }
}

}  // namespace

bool IsOver(v1::Rollout::State state) {
  switch (state) {
    case v1::Rollout::RELEASING:
    case v1::Rollout::BAKING:
    case v1::Rollout::PAUSED:
    case v1::Rollout::AWAITING:
      return false;
    default:
      return true;
  }
}

Style RolloutStyle(v1::Rollout::State state) {
  switch (state) {
    case v1::Rollout::COMPLETED:
      return Style::kGreen;
    case v1::Rollout::FAILED:
    case v1::Rollout::ABORTED:
      return Style::kRed;
    case v1::Rollout::PAUSED:
    case v1::Rollout::AWAITING:
      return Style::kYellow;
    default:
      return Style::kCyan;
  }
}

std::string RolloutSummary(const v1::Rollout& rollout) {
  return fmt::format("{}, wave {} of {}", StateWord(rollout.state()), rollout.wave() + 1,
                     rollout.waves_size());
}

Text RolloutText(const v1::Rollout& rollout, int64_t now_unix_ms) {
  Text text;
  text.AddPadded("Rollout:", kLabelColumns, Style::kBold);
  text.Add(fmt::format("version {} (root {}) in place of version {}", rollout.version().revision(),
                       ShortRoot(rollout.version().root()), rollout.stable().revision()));
  text.EndLine().AddPadded("State:", kLabelColumns, Style::kBold);
  text.Add(RolloutSummary(rollout), RolloutStyle(rollout.state()));
  text.Add(fmt::format(", begun {} ago by {}",
                       FormatAgeSince(rollout.started_unix_ms(), now_unix_ms), rollout.author()));
  text.EndLine();
  if (!rollout.message().empty()) {
    text.AddPadded("Message:", kLabelColumns, Style::kBold).Add(rollout.message()).EndLine();
  }
  if (!rollout.reason().empty()) {
    text.AddPadded("Because:", kLabelColumns, Style::kBold).Add(rollout.reason()).EndLine();
  }
  for (int i = 0; i < rollout.waves_size(); ++i) {
    const v1::RolloutWave& wave = rollout.waves(i);
    text.AddPadded(i == 0 ? "Waves:" : "", kLabelColumns, Style::kBold);
    text.AddPadded(fmt::format("{}", i + 1), 4);
    text.AddPadded(fmt::format("{} in all", Count(wave.size(), "node")), 18);
    text.AddPadded(WaveState(rollout, i), 20);
    text.Add(NodeNames(wave)).EndLine();
    if (i == static_cast<int>(rollout.wave())) AddFindings(&text, wave);
  }
  if (const std::string next = NextStep(rollout); !next.empty()) {
    text.AddPadded("Next:", kLabelColumns, Style::kBold).Add(next).EndLine();
  }
  return text;
}

}  // namespace sluice::sluicectl
