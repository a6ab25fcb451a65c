#include "tools/sluicectl/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "tools/sluicectl/config_view.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/rollout_text.h"

namespace sluice::sluicectl {
namespace {

using State = v1::NodeStatus::State;
using Findings = std::vector<Finding>;
using Nodes = std::vector<const v1::NodeStatus*>;

constexpr size_t kNamesShown = 3;
constexpr double kErrorRatioBad = 0.05;
constexpr double kRateJudged = 1;  // Requests per second; fewer prove nothing.
constexpr int64_t kDaySeconds = 24 * 60 * 60;
constexpr int64_t kExpiryNoticeDays = 30;
constexpr int64_t kExpiryUrgentDays = 7;
constexpr int64_t kExpiryLastDay = 1;

Nodes NodesIn(const v1::FleetStatus& status, State state) {
  Nodes nodes;
  for (const v1::NodeStatus& node : status.nodes()) {
    if (node.state() == state) nodes.push_back(&node);
  }
  return nodes;
}

// "node edge-1", "3 nodes (edge-1, edge-2, edge-3)", "9 nodes (edge-1, edge-2, edge-3, ...)"
std::string NamesOf(const Nodes& nodes) {
  if (nodes.size() == 1) return "node " + nodes.front()->node_id();
  std::string names;
  for (size_t i = 0; i < std::min(nodes.size(), kNamesShown); ++i) {
    names += (i == 0 ? "" : ", ") + nodes[i]->node_id();
  }
  if (nodes.size() > kNamesShown) names += ", ...";
  return fmt::format("{} nodes ({})", nodes.size(), names);
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

std::string DescribeNode(const v1::NodeStatus& node) {
  return "sluicectl describe node " + ShellWord(node.node_id());
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
  const auto errors = static_cast<uint64_t>(
      std::count_if(source.problems().begin(), source.problems().end(),
                    [](const auto& problem) { return problem.severity() == v1::Problem::ERROR; }));
  findings->push_back({true,
                       fmt::format("{} is not what runs{}", source.path(),
                                   errors == 0 ? "" : ": " + Count(errors, "error")),
                       "sluicectl validate -f " + ShellWord(source.path())});
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

void JudgeErrors(const v1::FleetStatus& status, Findings* findings) {
  const v1::NodeStatus* worst = nullptr;
  for (const v1::NodeStatus& node : status.nodes()) {
    const bool judged = node.state() != v1::NodeStatus::UNREACHABLE &&
                        node.requests_per_second() >= kRateJudged &&
                        node.error_ratio() >= kErrorRatioBad;
    if (judged && (worst == nullptr || node.error_ratio() > worst->error_ratio())) worst = &node;
  }
  if (worst == nullptr) return;
  findings->push_back({true,
                       fmt::format("node {} answers {} of its requests with 5xx", worst->node_id(),
                                   FormatRatio(worst->error_ratio())),
                       DescribeNode(*worst)});
}

// By upstream: endpoints that some node does not use.
void JudgeEndpoints(const v1::FleetStatus& status, Findings* findings) {
  struct Upstream {
    uint64_t endpoints = 0, down = 0, down_everywhere = 0;
    std::string reason;
  };
  std::map<std::string, Upstream> upstreams;
  for (const auto& [name, view] : CollectHealth(status)) {
    Upstream& upstream = upstreams[name.first];
    ++upstream.endpoints;
    if (view.healthy == view.nodes) continue;
    ++upstream.down;
    if (view.healthy == 0) ++upstream.down_everywhere;
    if (upstream.reason.empty()) upstream.reason = view.reasons.front();
  }
  for (const auto& [name, upstream] : upstreams) {
    if (upstream.down == 0) continue;
    findings->push_back(
        {upstream.down_everywhere == upstream.endpoints,
         fmt::format("{} of {} of upstream {} {} unhealthy{} ({})", upstream.down,
                     Count(upstream.endpoints, "endpoint"), name, upstream.down == 1 ? "is" : "are",
                     upstream.down_everywhere == 0 ? " on some nodes" : "", upstream.reason),
         "sluicectl describe upstream " + ShellWord(name)});
  }
}

void JudgeUpdating(const v1::FleetStatus& status, Findings* findings) {
  const Nodes nodes = NodesIn(status, v1::NodeStatus::UPDATING);
  if (nodes.empty()) return;
  std::map<uint64_t, int> revisions;
  for (const v1::NodeStatus* node : nodes) ++revisions[node->version().revision()];
  std::string versions;
  for (const auto& [revision, count] : revisions) {
    versions += versions.empty() ? "" : ", ";
    versions += revision == 0 ? "none" : fmt::format("{}", revision);
  }
  findings->push_back({false,
                       fmt::format("{} not yet on version {} but on {}", NamesOf(nodes),
                                   TargetOf(status, *nodes.front()), versions),
                       "sluicectl status --watch"});
}

void JudgeCertificates(const v1::FleetStatus& status, int64_t now_unix_ms, Findings* findings) {
  std::map<std::string, int64_t> ends;  // As the nodes serve them; the earliest.
  for (const v1::NodeStatus& node : status.nodes()) {
    if (node.state() == v1::NodeStatus::UNREACHABLE) continue;  // It may have others by now.
    for (const v1::CertificateStatus& certificate : node.report().certificates()) {
      const auto [entry, added] = ends.emplace(certificate.name(), certificate.not_after_unix());
      if (!added) entry->second = std::min(entry->second, certificate.not_after_unix());
    }
  }
  std::vector<std::pair<int64_t, std::string>> soon;
  for (const auto& [name, end] : ends) {
    const int64_t left = end - now_unix_ms / 1000;
    if (end != 0 && left < kExpiryNoticeDays * kDaySeconds) soon.emplace_back(left, name);
  }
  if (soon.empty()) return;
  std::sort(soon.begin(), soon.end());
  const auto& [left, name] = soon.front();
  std::string what = fmt::format("certificate {} ", name);
  if (left <= 0) {
    what += fmt::format("expired {} ago", FormatAge(-left));
  } else if (left < kExpiryLastDay * kDaySeconds) {
    what += fmt::format("expires within a day, in {}", FormatAge(left));
  } else {
    what += fmt::format("expires in {}", FormatAge(left));
  }
  if (soon.size() > 1) what += fmt::format("; {} more expire soon", soon.size() - 1);
  findings->push_back({left < kExpiryUrgentDays * kDaySeconds, std::move(what),
                       "renew it and apply again; sluicectl get certificates"});
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
                       fmt::format("{} {} an older version: cordoned", NamesOf(nodes),
                                   nodes.size() == 1 ? "keeps" : "keep"),
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
  JudgeEndpoints(status, &findings);
  JudgeCertificates(status, now_unix_ms, &findings);
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

std::string ShellWord(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += R"('\'')";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace sluice::sluicectl
