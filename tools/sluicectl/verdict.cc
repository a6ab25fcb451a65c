#include "tools/sluicectl/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/reported.h"
#include "tools/sluicectl/rollout_text.h"

namespace sluice::sluicectl {
namespace {

using State = v1::NodeStatus::State;
using Findings = std::vector<Finding>;

constexpr double kErrorRatioBad = 0.05;
// Of so few requests some fail anywhere: twenty, which is what nodes serve between two reports (2 s
// unless --report-interval says otherwise) at ten a second. How often they report we are not told.
constexpr uint64_t kRequestsJudged = 20;
constexpr double kRateJudged = 10;

Nodes NodesIn(const v1::FleetStatus& status, State state) {
  Nodes nodes;
  for (const v1::NodeStatus& node : status.nodes()) {
    if (node.state() == state) nodes.push_back(&node);
  }
  return nodes;
}

std::string Because(const v1::NodeStatus& node) {
  return node.reason().empty() ? "" : ": " + node.reason();
}

// The version that a node is to have: a rollout's candidate once its wave is out.
uint64_t TargetOf(const v1::FleetStatus& status, const v1::NodeStatus& node) {
  const v1::Rollout& rollout = status.rollout();
  const int waves_out = IsOver(rollout.state())
                            ? 0
                            : std::min(static_cast<int>(rollout.wave()) + 1, rollout.waves_size());
  for (int i = 0; i < waves_out; ++i) {
    const auto& ids = rollout.waves(i).node_ids();
    if (std::find(ids.begin(), ids.end(), node.node_id()) != ids.end()) {
      return rollout.version().revision();
    }
  }
  return status.version().revision();
}

void JudgeStart(const v1::FleetStatus& status, Findings* findings) {
  if (status.version().revision() == 0) {
    findings->push_back({true, "no version has been released yet", "sluicectl apply -f FILE"});
  }
  if (status.nodes().empty()) {
    findings->push_back(
        {true, "no proxy has connected yet",
         "sluicectl token create, then on its machine: sluice-proxy --node-id NAME "
         "--controller HOST:PORT --join-token-file FILE (no token with --insecure)"});
  }
}

void JudgeRejected(const v1::FleetStatus& status, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::REJECTED);
  if (nodes.empty()) return;
  findings->push_back({true,
                       fmt::format("{} refused version {}{}", NamesOf(nodes),
                                   TargetOf(status, *nodes.front()), Because(*nodes.front())),
                       DescribeNode(*nodes.front())});
}

void JudgeUnreachable(const v1::FleetStatus& status, int64_t now_unix_ms, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::UNREACHABLE);
  if (nodes.empty()) return;
  const v1::NodeStatus& first = *nodes.front();
  const std::string seen =
      first.last_seen_unix_ms() == 0
          ? ""
          : fmt::format(", last seen {} ago",
                        FormatAgeSince(first.last_seen_unix_ms(), now_unix_ms));
  findings->push_back(
      {true, fmt::format("{} cannot be reached{}{}", NamesOf(nodes), Because(first), seen),
       fmt::format("look at the log of sluice-proxy there, or give it up: sluicectl node remove {}",
                   ShellWord(first.node_id()))});
}

void JudgeSource(const v1::FleetStatus& status, Findings* findings) {
  const v1::SourceStatus& source = status.source();
  if (source.path().empty() || source.ok()) return;
  // Of a file whose version was taken back the rollout tells.
  const v1::Rollout& rollout = status.rollout();
  const std::string taken_back =
      fmt::format("version {} was taken back", rollout.version().revision());
  if (rollout.waves_size() > 0 && !source.problems().empty() &&
      source.problems().rbegin()->message().starts_with(taken_back)) {
    return;
  }
  const v1::Problem* first = nullptr;
  uint64_t errors = 0;
  for (const v1::Problem& problem : source.problems()) {
    if (problem.severity() != v1::Problem::ERROR) continue;
    if (first == nullptr) first = &problem;
    ++errors;
  }
  std::string what = source.path() + " is not what runs";
  if (first != nullptr && !first->message().empty()) what += ": " + first->message();
  if (errors > 1) what += fmt::format("; {} more", Count(errors - 1, "error"));
  // A problem without a line is none of the document: it was not to be read, or was refused.
  const bool in_document = first == nullptr || first->line() != 0;
  findings->push_back({true, std::move(what),
                       in_document ? "sluicectl validate -f " + ShellWord(source.path())
                                   : "do as it says; sluicectl status has all of it"});
}

void JudgeLagging(const v1::FleetStatus& status, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::LAGGING);
  if (nodes.empty()) return;
  findings->push_back(
      {true,
       fmt::format("{} {} behind version {}{}", NamesOf(nodes), nodes.size() == 1 ? "is" : "are",
                   TargetOf(status, *nodes.front()), Because(*nodes.front())),
       DescribeNode(*nodes.front())});
}

// A gate has failed, and the nodes of the wave keep the version nevertheless.
bool StandsWithFailure(const v1::Rollout& rollout) {
  if (!rollout.strategy().pause_on_failure()) return false;
  if (static_cast<int>(rollout.wave()) >= rollout.waves_size()) return false;
  const auto& findings = rollout.waves(static_cast<int>(rollout.wave())).findings();
  return std::any_of(findings.begin(), findings.end(), [](const auto& finding) {
    return !finding.passed() && finding.gate() != "requests";  // That one wants traffic only.
  });
}

void JudgeRollout(const v1::Rollout& rollout, Findings* findings) {
  if (rollout.waves_size() == 0) return;
  const uint64_t revision = rollout.version().revision();
  const std::string because = rollout.reason().empty() ? "" : ": " + rollout.reason();
  switch (rollout.state()) {
    case v1::Rollout::RELEASING:
    case v1::Rollout::BAKING:
    case v1::Rollout::AWAITING: {
      const bool waits = rollout.state() == v1::Rollout::AWAITING;
      findings->push_back(
          {false, fmt::format("version {} is on its way: {}", revision, RolloutSummary(rollout)),
           fmt::format("sluicectl rollout {}; back: sluicectl rollout abort",
                       waits ? "promote" : "status --watch")});
      return;
    }
    case v1::Rollout::PAUSED:
      findings->push_back(
          {StandsWithFailure(rollout),
           fmt::format("version {} stands: {}{}", revision, RolloutSummary(rollout), because),
           "sluicectl rollout status, then rollout resume, promote or abort"});
      return;
    case v1::Rollout::FAILED:
    case v1::Rollout::ABORTED:
    case v1::Rollout::SUPERSEDED:
      findings->push_back({false, fmt::format("version {} was taken back{}", revision, because),
                           "mend the cause and apply again, or sluicectl rollout retry"});
      return;
    default:
      return;
  }
}

// Between its last two reports, if these were requests enough; where there are fewer, as long as
// what the node has served under its version is no better. 0: nothing to say.
double BadErrorRatio(const v1::NodeStatus& node) {
  if (node.state() == v1::NodeStatus::UNREACHABLE || node.error_ratio() < kErrorRatioBad) return 0;
  if (node.requests_per_second() >= kRateJudged) return node.error_ratio();
  const v1::VersionTrafficFigures& figures = node.current_version_traffic();
  const bool bad = figures.requests() >= kRequestsJudged && figures.error_ratio() >= kErrorRatioBad;
  return bad ? figures.error_ratio() : 0;
}

void JudgeErrors(const v1::FleetStatus& status, Findings* findings) {
  const v1::NodeStatus* worst = nullptr;
  double ratio = 0;
  for (const v1::NodeStatus& node : status.nodes()) {
    const double of_node = BadErrorRatio(node);
    if (of_node <= ratio) continue;
    ratio = of_node;
    worst = &node;
  }
  if (worst == nullptr) return;
  findings->push_back({true,
                       fmt::format("node {} answers {} of its requests with 5xx", worst->node_id(),
                                   FormatRatio(ratio)),
                       DescribeNode(*worst)});
}

void JudgeUpdating(const v1::FleetStatus& status, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::UPDATING);
  if (nodes.empty()) return;
  const uint64_t target = TargetOf(status, *nodes.front());
  std::map<uint64_t, int> revisions;
  for (const v1::NodeStatus* node : nodes) ++revisions[node->version().revision()];
  if (revisions.size() == 1 && revisions.contains(target)) {
    findings->push_back({false,
                         fmt::format("{} not yet with all that its labels place on it of version "
                                     "{}",
                                     NamesOf(nodes), target),
                         "sluicectl status --watch"});
    return;
  }
  std::string versions;
  for (const auto& [revision, count] : revisions) {
    versions += versions.empty() ? "" : ", ";
    versions += revision == 0 ? "none" : fmt::format("{}", revision);
  }
  findings->push_back(
      {false, fmt::format("{} not yet on version {} but on {}", NamesOf(nodes), target, versions),
       "sluicectl status --watch"});
}

void JudgeDraining(const v1::FleetStatus& status, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::DRAINING);
  if (nodes.empty()) return;
  findings->push_back({nodes.size() == static_cast<size_t>(status.nodes_size()),
                       fmt::format("{} {} no new connections: asked to drain", NamesOf(nodes),
                                   nodes.size() == 1 ? "takes" : "take"),
                       "sluicectl node undrain " + ShellWord(nodes.front()->node_id())});
}

void JudgeCordoned(const v1::FleetStatus& status, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::CORDONED);
  if (nodes.empty()) return;
  findings->push_back({false,
                       fmt::format("{} {} now: cordoned", NamesOf(nodes),
                                   nodes.size() == 1 ? "keeps what it has" : "keep what they have"),
                       "sluicectl node uncordon " + ShellWord(nodes.front()->node_id())});
}

}  // namespace

std::vector<Finding> JudgeFleet(const v1::FleetStatus& status, int64_t now_unix_ms) {
  Findings findings;
  JudgeStart(status, &findings);
  JudgeRejected(status, &findings);
  JudgeUnreachable(status, now_unix_ms, &findings);
  JudgeErrors(status, &findings);
  JudgeSource(status, &findings);
  JudgeLagging(status, &findings);
  JudgeRollout(status.rollout(), &findings);
  JudgeReported(status, now_unix_ms, &findings);
  JudgeUpdating(status, &findings);
  JudgeDraining(status, &findings);
  JudgeCordoned(status, &findings);
  std::stable_partition(findings.begin(), findings.end(),
                        [](const Finding& finding) { return finding.urgent; });
  return findings;
}

std::string VerdictLine(const v1::FleetStatus& status, const std::vector<Finding>& findings) {
  if (findings.empty()) {
    const auto nodes = static_cast<uint64_t>(status.nodes_size());
    return fmt::format("all is well: {} {} version {}", Count(nodes, "node"),
                       nodes == 1 ? "serves" : "serve", status.version().revision());
  }
  return fmt::format("{}; next: {}", findings.front().what, findings.front().next);
}

Style VerdictStyle(const std::vector<Finding>& findings) {
  if (findings.empty()) return Style::kGreen;
  return findings.front().urgent ? Style::kRed : Style::kYellow;
}

}  // namespace sluice::sluicectl
