#include "tools/sluicectl/top_header.h"

#include <fmt/format.h>

#include <map>

#include "tools/sluicectl/fitted_line.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/rollout_text.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kHeaderRows = 6;
constexpr size_t kRowsForHeader = 12;   // On a lower terminal only what is the matter is shown.
constexpr int64_t kOldNewsMs = 10'000;  // Nodes report every few seconds, and that is news.

void AddTitleLine(const TopModel& model, const std::string& controller, size_t columns, Text* out) {
  const v1::FleetStatus& status = model.status();
  FittedLine line(columns);
  line.Add("sluicectl top", Style::kBold);
  line.Add("  controller " + controller);
  if (model.has_status()) {
    line.Add(fmt::format(" ({}, up {})", status.controller_version(),
                         FormatAge(static_cast<int64_t>(status.controller_uptime_seconds()))));
  }
  line.EndIn(out);
}

void AddVersionLine(const v1::FleetStatus& status, size_t columns, int64_t now, Text* out) {
  const v1::Rollout& rollout = status.rollout();
  FittedLine line(columns);
  line.Add("Version ", Style::kBold);
  line.Add(status.version().revision() == 0 ? "none yet"
                                            : fmt::format("{}", status.version().revision()),
           Style::kCyan);
  if (!IsOver(rollout.state())) {
    line.Add(fmt::format(", {} on its way: ", rollout.version().revision()));
    line.Add(RolloutSummary(rollout), RolloutStyle(rollout.state()));
    line.Add(fmt::format(", begun {} ago by {}", FormatAgeSince(rollout.started_unix_ms(), now),
                         rollout.author()));
    if (!rollout.message().empty()) line.Add(": " + rollout.message());
  } else if (status.version().revision() != 0) {
    line.Add(fmt::format(" (root {}), released {} ago", ShortRoot(status.version().root()),
                         FormatAgeSince(status.released_unix_ms(), now)));
    if (!status.author().empty()) line.Add(" by " + status.author());
    if (!status.message().empty()) line.Add(": " + status.message());
  }
  line.EndIn(out);
}

void AddNodesLine(const v1::FleetStatus& status, size_t columns, Text* out) {
  std::map<v1::NodeStatus::State, int> counts;
  for (const v1::NodeStatus& node : status.nodes()) ++counts[node.state()];
  FittedLine line(columns);
  line.Add("Nodes ", Style::kBold);
  line.Add(fmt::format("{}", status.nodes_size()));
  const char* before = ": ";
  for (const auto& [state, count] : counts) {
    line.Add(before);
    line.Add(fmt::format("{} {}", count, StateName(state)), StateStyle(state));
    before = ", ";
  }
  line.EndIn(out);
}

void AddLoadLine(const TopTotals& totals, size_t columns, Text* out) {
  FittedLine line(columns);
  line.Add("Load ", Style::kBold);
  line.Add(fmt::format("{} req/s, ", FormatRate(totals.requests_per_second)));
  line.Add(fmt::format("{} 5xx", FormatRatio(totals.error_ratio)), ErrorStyle(totals.error_ratio));
  line.Add(fmt::format(", worst p99 {}, {}, ", FormatLatency(totals.p99_ms),
                       Count(totals.connections, "connection")));
  line.Add(fmt::format("{} down", Count(totals.endpoints_unhealthy, "endpoint")),
           totals.endpoints_unhealthy > 0 ? Style::kYellow : Style::kPlain);
  line.EndIn(out);
}

struct Verdict {
  std::string what;
  Style style = Style::kPlain;
  std::string next;  // What to do, or more of it.
};

Verdict VerdictOf(const TopModel& model, int64_t now) {
  if (!model.disconnected().empty()) {
    std::string what = "controller unreachable, retrying";
    if (model.has_status()) {
      what += "; shown as of " + FormatAge((now - model.status_unix_ms()) / 1000) + " ago";
    }
    return {std::move(what), Style::kRed, model.disconnected()};
  }
  if (!model.has_status()) return {"connecting ...", Style::kPlain, ""};
  const std::vector<Finding>& findings = model.findings();
  const int64_t age_ms = now - model.status_unix_ms();
  // In front, where a narrow terminal does not cut it off.
  std::string before =
      age_ms > kOldNewsMs ? fmt::format("as of {} ago: ", FormatAge(age_ms / 1000)) : "";
  if (findings.empty()) {
    return {before + VerdictLine(model.status(), findings),
            before.empty() ? VerdictStyle(findings) : Style::kYellow, ""};
  }
  if (findings.size() > 1) before += fmt::format("[1 of {}] ", findings.size());
  return {before + findings.front().what, VerdictStyle(findings), "next: " + findings.front().next};
}

}  // namespace

size_t AddTopHeader(const TopModel& model, const std::string& controller, const TerminalSize& size,
                    int64_t now_unix_ms, Text* out) {
  const Verdict verdict = VerdictOf(model, now_unix_ms);
  if (size.rows < kRowsForHeader) {
    AddFitted(out, size.columns, verdict.what, verdict.style);
    return 1;
  }
  AddTitleLine(model, controller, size.columns, out);
  AddVersionLine(model.status(), size.columns, now_unix_ms, out);
  AddNodesLine(model.status(), size.columns, out);
  AddLoadLine(model.totals(), size.columns, out);
  AddFitted(out, size.columns, verdict.what, verdict.style);
  AddFitted(out, size.columns, verdict.next);
  return kHeaderRows;
}

}  // namespace sluice::sluicectl
