#include "tools/sluicectl/reported.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/sluicectl/config_view.h"
#include "tools/sluicectl/format.h"

namespace sluice::sluicectl {
namespace {

using Findings = std::vector<Finding>;

constexpr int64_t kDaySeconds = 24 * 60 * 60;
constexpr int64_t kExpiryNoticeDays = 30;
constexpr int64_t kExpiryUrgentDays = 7;
constexpr int64_t kExpiryLastDay = 1;

bool HasCurrent(const v1::FleetStatus& status, const v1::NodeStatus& node) {
  const v1::Version &current = status.version(), &has = node.version();
  if (!current.root().empty() && !has.root().empty()) return current.root() == has.root();
  return current.revision() == has.revision();
}

// Nodes that can be reached: who cannot may have others by now.
struct Split {
  Nodes current;  // With the current version.
  Nodes others;
};

Split SplitNodes(const v1::FleetStatus& status) {
  Split split;
  for (const v1::NodeStatus& node : status.nodes()) {
    if (node.state() == v1::NodeStatus::UNREACHABLE) continue;
    (HasCurrent(status, node) ? split.current : split.others).push_back(&node);
  }
  return split;
}

// It is known why the node is on another version, and that it will be on this one.
bool IsExpected(const v1::NodeStatus& node) {
  return node.cordoned() || node.state() == v1::NodeStatus::CORDONED ||
         node.state() == v1::NodeStatus::UPDATING;
}

struct Upstream {
  uint64_t endpoints = 0, down = 0, down_everywhere = 0;
  std::string reason;
};

// By name.
std::map<std::string, Upstream> UpstreamsOf(const Nodes& nodes) {
  std::map<std::string, Upstream> upstreams;
  for (const auto& [name, view] : CollectHealth(nodes)) {
    Upstream& upstream = upstreams[name.first];
    ++upstream.endpoints;
    if (view.healthy == view.nodes) continue;
    ++upstream.down;
    if (view.healthy == 0) ++upstream.down_everywhere;
    if (upstream.reason.empty()) upstream.reason = view.reasons.front();
  }
  return upstreams;
}

// "2 of 3 endpoints of upstream users are unhealthy (edge-1: connect: refused)"
std::string UnhealthyText(const std::string& name, const Upstream& upstream) {
  return fmt::format("{} of {} of upstream {} {} unhealthy{} ({})", upstream.down,
                     Count(upstream.endpoints, "endpoint"), name, upstream.down == 1 ? "is" : "are",
                     upstream.down_everywhere == 0 ? " on some nodes" : "", upstream.reason);
}

void JudgeEndpoints(const Nodes& nodes, Findings* findings) {
  for (const auto& [name, upstream] : UpstreamsOf(nodes)) {
    if (upstream.down == 0) continue;
    findings->push_back({upstream.down_everywhere == upstream.endpoints,
                         UnhealthyText(name, upstream),
                         "sluicectl describe upstream " + ShellWord(name)});
  }
}

// "certificate site.pem expires in 6d0h; 2 more expire soon"; empty: none does. `left_s`: until the
// first one has expired.
std::string ExpiryText(const Nodes& nodes, int64_t now_s, int64_t* left_s) {
  std::map<std::string, int64_t> ends;  // The earliest of each.
  for (const v1::NodeStatus* node : nodes) {
    for (const v1::CertificateStatus& certificate : node->report().certificates()) {
      const auto [entry, added] = ends.emplace(certificate.name(), certificate.not_after_unix());
      if (!added) entry->second = std::min(entry->second, certificate.not_after_unix());
    }
  }
  std::vector<std::pair<int64_t, std::string>> soon;
  for (const auto& [name, end] : ends) {
    const int64_t left = end - now_s;
    if (end != 0 && left < kExpiryNoticeDays * kDaySeconds) soon.emplace_back(left, name);
  }
  if (soon.empty()) return "";
  std::sort(soon.begin(), soon.end());
  const auto& [left, name] = soon.front();
  std::string text = fmt::format("certificate {} ", name);
  if (left <= 0) {
    text += fmt::format("expired {} ago", FormatAge(-left));
  } else if (left < kExpiryLastDay * kDaySeconds) {
    text += fmt::format("expires within a day, in {}", FormatAge(left));
  } else {
    text += fmt::format("expires in {}", FormatAge(left));
  }
  if (soon.size() > 1) text += fmt::format("; {} more expire soon", soon.size() - 1);
  *left_s = left;
  return text;
}

void JudgeCertificates(const Nodes& nodes, int64_t now_s, Findings* findings) {
  int64_t left_s = 0;
  std::string text = ExpiryText(nodes, now_s, &left_s);
  if (text.empty()) return;
  findings->push_back({left_s < kExpiryUrgentDays * kDaySeconds, std::move(text),
                       "renew it and apply again; sluicectl get certificates"});
}

// What is wrong on a node with another version than the current one.
struct Trouble {
  const v1::NodeStatus* node;
  bool urgent;
  std::string what;
};

// One finding for all of them, which says what is wrong on the first.
void AddTroubles(std::vector<Trouble> troubles, Findings* findings) {
  if (troubles.empty()) return;
  std::stable_partition(troubles.begin(), troubles.end(),
                        [](const Trouble& trouble) { return trouble.urgent; });
  Nodes nodes;
  for (const Trouble& trouble : troubles) nodes.push_back(trouble.node);
  const Trouble& first = troubles.front();
  const std::string versions = nodes.size() == 1
                                   ? fmt::format("version {}", first.node->version().revision())
                                   : std::string("other versions");
  findings->push_back({first.urgent,
                       fmt::format("{} with {}: {}", NamesOf(nodes), versions, first.what),
                       DescribeNode(*first.node)});
}

void JudgeOthers(const Nodes& nodes, int64_t now_s, Findings* findings) {
  std::vector<Trouble> endpoints, certificates;
  for (const v1::NodeStatus* node : nodes) {
    const bool expected = IsExpected(*node);
    std::string what;
    bool serves_nobody = false;  // Some upstream; that one is told.
    for (const auto& [name, upstream] : UpstreamsOf({node})) {
      if (upstream.down == 0 || serves_nobody) continue;
      serves_nobody = upstream.down == upstream.endpoints;
      if (!what.empty() && !serves_nobody) continue;
      what = UnhealthyText(name, upstream);
    }
    if (!what.empty()) endpoints.push_back({node, serves_nobody && !expected, std::move(what)});
    int64_t left_s = 0;
    what = ExpiryText({node}, now_s, &left_s);
    if (what.empty()) continue;
    const bool urgent = left_s < kExpiryUrgentDays * kDaySeconds && !expected;
    certificates.push_back({node, urgent, std::move(what)});
  }
  AddTroubles(std::move(endpoints), findings);
  AddTroubles(std::move(certificates), findings);
}

}  // namespace

void JudgeReported(const v1::FleetStatus& status, int64_t now_unix_ms, Findings* findings) {
  const Split split = SplitNodes(status);
  const int64_t now_s = now_unix_ms / 1000;
  JudgeEndpoints(split.current, findings);
  JudgeCertificates(split.current, now_s, findings);
  JudgeOthers(split.others, now_s, findings);
}

}  // namespace sluice::sluicectl
