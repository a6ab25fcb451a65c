#include "controlplane/rollout/waves.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/base/check.h"
#include "controlplane/rollout/strategy.h"

namespace sluice::rollout {
namespace {

using publish::NodeView;
using publish::Traffic;

constexpr size_t kNamedMax = 5;  // Nodes that a reason names.

v1::RolloutFinding EffectiveFinding(const std::string& node_id, std::string message) {
  v1::RolloutFinding finding;
  finding.set_gate("effective");
  finding.set_node_id(node_id);
  finding.set_message(std::move(message));
  return finding;
}

std::string Names(const std::vector<std::string>& ids) {
  std::string text;
  for (size_t i = 0; i < std::min(ids.size(), kNamedMax); ++i) {
    text += (i == 0 ? "" : ", ") + ids[i];
  }
  if (ids.size() > kNamedMax) text += fmt::format(" and {} more", ids.size() - kNamedMax);
  return text;
}

std::string Seconds(int64_t ms) { return fmt::format("{:g} s", static_cast<double>(ms) / 1000); }

// How a node was is how it was with the stable version: what a version that is being replaced did
// is no excuse for this one.
void FillBaseline(const NodeView& node, const std::string& stable_root,
                  v1::NodeBaseline* baseline) {
  baseline->set_node_id(node.id);
  if (node.reported_root == stable_root) {
    *baseline->mutable_before() = publish::FiguresOf(node.lately);
    for (const std::string& name : node.broken_upstreams) baseline->add_broken_upstreams(name);
  }
  baseline->set_left_behind(!node.connected || node.leaving || node.cordoned);
}

}  // namespace

bool IsActive(v1::Rollout::State state) {
  switch (state) {
    case v1::Rollout::RELEASING:
    case v1::Rollout::BAKING:
    case v1::Rollout::PAUSED:
    case v1::Rollout::AWAITING:
      return true;
    default:
      return false;
  }
}

Waves::Waves(v1::Rollout record, const std::vector<NodeView>& nodes, Now now)
    : record_(std::move(record)), now_(now) {
  record_.set_started_unix_ms(static_cast<uint64_t>(now.unix_ms));
  record_.clear_waves();
  for (v1::RolloutWave& planned : PlanWaves(record_.strategy(), nodes)) {
    *record_.add_waves() = std::move(planned);
  }
  record_.set_wave(0);
  BeginWave(nodes, now);
}

Waves::Waves(v1::Rollout stored, Now now)
    : record_(std::move(stored)), phase_ms_(now.ms), now_(now) {
  SLUICE_CHECK(record_.waves_size() > static_cast<int>(record_.wave()));
}

std::vector<std::string> Waves::reach() const {
  std::vector<std::string> reach;
  for (int i = 0; i <= static_cast<int>(record_.wave()); ++i) {
    const auto& ids = record_.waves(i).node_ids();
    reach.insert(reach.end(), ids.begin(), ids.end());
  }
  return reach;
}

// Of the waves that are out, who is counted on.
std::vector<v1::NodeBaseline*> Waves::Changed() {
  std::vector<v1::NodeBaseline*> changed;
  for (int i = 0; i <= static_cast<int>(record_.wave()); ++i) {
    for (v1::NodeBaseline& baseline : *record_.mutable_waves(i)->mutable_baselines()) {
      if (!baseline.left_behind()) changed.push_back(&baseline);
    }
  }
  return changed;
}

// --- Waves going out.

void Waves::BeginWave(const std::vector<NodeView>& nodes, Now now) {
  v1::RolloutWave& wave = this->wave();
  if (is_last()) {
    // Everybody who is known by now.
    std::set<std::string> earlier;
    for (int i = 0; i + 1 < record_.waves_size(); ++i) {
      const auto& ids = record_.waves(i).node_ids();
      earlier.insert(ids.begin(), ids.end());
    }
    wave.clear_node_ids();
    for (const NodeView& node : nodes) {
      if (!node.cordoned && !earlier.contains(node.id)) wave.add_node_ids(node.id);
    }
    wave.set_size(static_cast<uint32_t>(earlier.size()) +
                  static_cast<uint32_t>(wave.node_ids_size()));
  }
  Views views;
  for (const NodeView& node : nodes) views[node.id] = &node;
  wave.clear_baselines();
  for (const std::string& id : wave.node_ids()) {
    const auto found = views.find(id);
    if (found != views.end()) {
      FillBaseline(*found->second, record_.stable().root(), wave.add_baselines());
    }
  }
  wave.set_started_unix_ms(static_cast<uint64_t>(now.unix_ms));
  record_.set_state(v1::Rollout::RELEASING);
  record_.clear_reason();
  phase_ms_ = now.ms;
}

void Waves::BeginBake(Now now) {
  wave().set_effective_unix_ms(static_cast<uint64_t>(now.unix_ms));
  record_.set_state(v1::Rollout::BAKING);
  phase_ms_ = now.ms;
  for (v1::NodeBaseline* baseline : Changed()) baseline->clear_start();
  control_start_.clear();
  served_ = 0;
}

void Waves::Advance(const std::vector<NodeView>& nodes, Now now, Decision* decision) {
  wave().set_ended_unix_ms(static_cast<uint64_t>(now.unix_ms));
  decision->changed = true;
  if (is_last()) {
    record_.set_state(v1::Rollout::COMPLETED);
    record_.set_ended_unix_ms(static_cast<uint64_t>(now.unix_ms));
    record_.clear_reason();
    decision->order = Order::kComplete;
    return;
  }
  record_.set_wave(record_.wave() + 1);
  BeginWave(nodes, now);
  decision->order = Order::kWiden;
}

void Waves::Fail(const v1::RolloutFinding& finding, Now now, Decision* decision) {
  const std::string subject =
      finding.node_id().empty() ? "" : fmt::format("node {}: ", finding.node_id());
  const std::string reason = fmt::format("wave {} of {}: {}{}", record_.wave() + 1,
                                         record_.waves_size(), subject, finding.message());
  decision->changed = true;
  if (record_.strategy().pause_on_failure()) {
    PauseFor(reason);
    return;
  }
  wave().set_ended_unix_ms(static_cast<uint64_t>(now.unix_ms));
  End(v1::Rollout::FAILED, reason, now);
  decision->order = Order::kTakeBack;
}

void Waves::PauseFor(const std::string& reason) {
  if (record_.state() != v1::Rollout::PAUSED) record_.set_resume_to(record_.state());
  record_.set_state(v1::Rollout::PAUSED);
  record_.set_reason(reason);
}

// --- Looking.

Waves::Decision Waves::Look(const std::vector<NodeView>& nodes, Now now) {
  Decision decision;
  if (!active()) return decision;
  now_ = now;
  Views views;
  for (const NodeView& node : nodes) views[node.id] = &node;
  concerns_nobody_ =
      std::none_of(nodes.begin(), nodes.end(), [](const NodeView& node) { return node.concerned; });
  // What a gate stopped waits for an operator; what an operator stopped can still turn out bad.
  const auto& findings = wave().findings();
  const bool stopped_by_gate =
      record_.state() == v1::Rollout::PAUSED &&
      std::any_of(findings.begin(), findings.end(), [](const auto& f) { return !f.passed(); });
  if (stopped_by_gate) return decision;

  if (NoticeLosses(views, now, &decision)) return decision;
  if (record_.state() == v1::Rollout::RELEASING) {
    if (!AwaitEffective(views, now, &decision)) return decision;
    BeginBake(now);
    decision.changed = true;
  }
  if (wave().effective_unix_ms() == 0) return decision;  // Paused before it was.
  if (NoticeSilence(views, now, &decision) || JudgeTraffic(nodes, views, &decision)) {
    return decision;
  }
  if (record_.state() == v1::Rollout::BAKING) AfterBake(nodes, views, now, &decision);
  return decision;
}

// Refusals fail the wave at once; who drains, was removed, or is kept from the version by an
// operator is not counted on any more. True: it is over.
bool Waves::NoticeLosses(const Views& views, Now now, Decision* decision) {
  for (v1::NodeBaseline* baseline : Changed()) {
    const auto found = views.find(baseline->node_id());
    const bool gone = found == views.end() || (!found->second->connected && found->second->leaving);
    if (gone || (found->second->cordoned && found->second->root != record_.version().root())) {
      baseline->set_left_behind(true);
      decision->changed = true;
    } else if (found->second->refused) {
      v1::RolloutFinding finding = EffectiveFinding(
          baseline->node_id(), fmt::format("it refused the version: {}", found->second->refusal));
      *wave().add_findings() = finding;
      Fail(finding, now, decision);
      return true;
    }
  }
  return false;
}

// True: all that are waited for are effective.
bool Waves::AwaitEffective(const Views& views, Now now, Decision* decision) {
  std::vector<std::string> stuck, silent;
  for (v1::NodeBaseline& baseline : *wave().mutable_baselines()) {
    if (baseline.left_behind() || baseline.effective()) continue;
    const NodeView& node = *views.at(baseline.node_id());
    if (node.connected && node.root == record_.version().root()) {
      baseline.set_effective(true);
      decision->changed = true;
    } else {
      (node.connected ? stuck : silent).push_back(baseline.node_id());
    }
  }
  if (stuck.empty() && silent.empty()) return true;
  const int64_t limit_ms = record_.strategy().gates().effective_within_ms();
  if (now.ms - phase_ms_ < limit_ms) return false;
  if (stuck.empty() && silent.size() * 10 <= Changed().size()) {
    for (v1::NodeBaseline& baseline : *wave().mutable_baselines()) {
      if (!baseline.effective()) baseline.set_left_behind(true);
    }
    decision->changed = true;
    return true;
  }
  std::vector<std::string> late = stuck;
  late.insert(late.end(), silent.begin(), silent.end());
  v1::RolloutFinding finding = EffectiveFinding(
      "", fmt::format("not effective within {}: {}", Seconds(limit_ms), Names(late)));
  *wave().add_findings() = finding;
  Fail(finding, now, decision);
  return false;
}

// True: too many nodes with the version have gone silent.
bool Waves::NoticeSilence(const Views& views, Now now, Decision* decision) {
  const int64_t limit_ms = record_.strategy().gates().effective_within_ms();
  std::vector<std::string> silent;
  const std::vector<v1::NodeBaseline*> changed = Changed();
  for (const v1::NodeBaseline* baseline : changed) {
    const NodeView& node = *views.at(baseline->node_id());
    if (node.connected && node.root == record_.version().root()) {
      silent_since_ms_.erase(baseline->node_id());
      continue;
    }
    const auto since = silent_since_ms_.try_emplace(baseline->node_id(), now.ms).first;
    if (now.ms - since->second >= limit_ms) silent.push_back(baseline->node_id());
  }
  if (silent.size() * 10 <= changed.size()) return false;
  v1::RolloutFinding finding =
      EffectiveFinding("", fmt::format("silent, or without the version it had, for {}: {}",
                                       Seconds(limit_ms), Names(silent)));
  *wave().add_findings() = finding;
  Fail(finding, now, decision);
  return true;
}

// What nodes without the version served since the bake began.
Control Waves::CollectControl(const std::vector<NodeView>& nodes,
                              std::vector<std::string>* broken) {
  std::set<std::string> changed;
  for (int i = 0; i <= static_cast<int>(record_.wave()); ++i) {
    changed.insert(record_.waves(i).node_ids().begin(), record_.waves(i).node_ids().end());
  }
  Control control;
  const bool early = now_.ms - phase_ms_ < kControlAwaitedMs;
  for (const NodeView& node : nodes) {
    if (!node.connected || changed.contains(node.id) ||
        node.reported_root != record_.stable().root()) {
      continue;
    }
    if (node.report_ms <= phase_ms_) {
      control.awaited |= early;
      continue;
    }
    broken->insert(broken->end(), node.broken_upstreams.begin(), node.broken_upstreams.end());
    const ControlStart& start =
        control_start_.try_emplace(node.id, ControlStart{node.counters, node.report_ms})
            .first->second;
    control.awaited |= early && node.report_ms == start.report_ms;
    control.traffic += publish::Since(start.counters, node.counters);
    ++control.nodes;
  }
  std::sort(broken->begin(), broken->end());
  return control;
}

// True: a gate has failed.
bool Waves::JudgeTraffic(const std::vector<NodeView>& nodes, const Views& views,
                         Decision* decision) {
  const v1::RolloutGates& gates = record_.strategy().gates();
  std::vector<std::string> broken_elsewhere;
  const Control control = CollectControl(nodes, &broken_elsewhere);
  unjudged_ = control.awaited;
  std::vector<v1::RolloutFinding> findings;
  Judged together;
  for (v1::NodeBaseline* baseline : Changed()) {
    const NodeView& node = *views.at(baseline->node_id());
    // Only what it proves to have served with the version.
    if (!node.connected || node.report_ms <= phase_ms_ ||
        node.reported_root != record_.version().root()) {
      continue;
    }
    // Counters of another process began at nothing.
    if (!baseline->has_start() || baseline->boot_id() != node.boot_id) {
      *baseline->mutable_start() =
          publish::FiguresOf(baseline->has_start() ? Traffic() : node.counters);
      baseline->set_boot_id(node.boot_id);
    }
    const Judged subject{
        .id = node.id,
        .before = publish::TrafficOf(baseline->before()),
        .after = publish::Since(publish::TrafficOf(baseline->start()), node.counters)};
    if (Tells(node)) {
      together.before += subject.before;
      together.after += subject.after;
    }
    for (v1::RolloutFinding& finding : std::vector<v1::RolloutFinding>{
             JudgeErrors(gates, subject, control), JudgeLatency(gates, subject, control)}) {
      if (!finding.passed()) findings.push_back(std::move(finding));
    }
    if (gates.ignore_endpoints()) continue;
    const std::vector<std::string> before(baseline->broken_upstreams().begin(),
                                          baseline->broken_upstreams().end());
    v1::RolloutFinding endpoints = JudgeEndpoints(node, before, broken_elsewhere);
    if (!endpoints.passed()) findings.push_back(std::move(endpoints));
  }
  findings.push_back(JudgeErrors(gates, together, control));
  findings.push_back(JudgeLatency(gates, together, control));
  served_ = together.after.requests;
  wave().clear_findings();
  for (const v1::RolloutFinding& finding : findings) *wave().add_findings() = finding;
  for (const v1::RolloutFinding& finding : findings) {
    if (finding.passed()) continue;
    Fail(finding, now_, decision);
    return true;
  }
  return false;
}

void Waves::AfterBake(const std::vector<NodeView>& nodes, const Views& views, Now now,
                      Decision* decision) {
  const int64_t baked_ms = now.ms - phase_ms_ - record_.strategy().bake_ms();
  if (baked_ms < 0 || unjudged_) return;
  const v1::RolloutGates& gates = record_.strategy().gates();
  const std::vector<v1::NodeBaseline*> changed = Changed();
  const bool nobody_tells = std::none_of(changed.begin(), changed.end(), [&](const auto* baseline) {
    return Tells(*views.at(baseline->node_id()));
  });
  if (nobody_tells && wave().size() > 0) {
    PauseFor(fmt::format("wave {} of {}: no node that has the version is left to judge it by",
                         record_.wave() + 1, record_.waves_size()));
    decision->changed = true;
    return;
  }
  const v1::RolloutFinding enough = JudgeRequests(gates, served_);
  if (!enough.passed() && wave().size() > 0) {
    if (baked_ms < gates.requests_wait_ms()) return;
    *wave().add_findings() = enough;
    PauseFor(
        fmt::format("wave {} of {}: too little traffic to judge by: {}; `sluicectl rollout "
                    "promote` goes on without, `resume` waits again",
                    record_.wave() + 1, record_.waves_size(), enough.message()));
    decision->changed = true;
    return;
  }
  if (record_.strategy().manual() && !is_last()) {
    record_.set_state(v1::Rollout::AWAITING);
    record_.set_reason("`sluicectl rollout promote` releases the next wave");
    decision->changed = true;
    return;
  }
  Advance(nodes, now, decision);
}

// --- Operators.

absl::Status Waves::Pause(const std::string& reason) {
  if (!active()) return absl::FailedPreconditionError("no rollout is under way");
  if (record_.state() == v1::Rollout::PAUSED) {
    return absl::FailedPreconditionError("it is paused already: " + record_.reason());
  }
  PauseFor(reason);
  return absl::OkStatus();
}

absl::Status Waves::Resume(Now now) {
  if (record_.state() != v1::Rollout::PAUSED) {
    return absl::FailedPreconditionError("it is not paused");
  }
  record_.clear_reason();
  wave().clear_findings();
  silent_since_ms_.clear();
  if (wave().effective_unix_ms() == 0) {
    record_.set_state(v1::Rollout::RELEASING);
    phase_ms_ = now.ms;
  } else {
    BeginBake(now);  // It is judged by what happens from now on.
  }
  return absl::OkStatus();
}

absl::Status Waves::Promote(const std::vector<NodeView>& nodes, Now now, Decision* decision) {
  if (!active()) return absl::FailedPreconditionError("no rollout is under way");
  if (wave().effective_unix_ms() == 0) {
    return absl::FailedPreconditionError(fmt::format("wave {} of {} is not effective yet",
                                                     record_.wave() + 1, record_.waves_size()));
  }
  Advance(nodes, now, decision);
  return absl::OkStatus();
}

void Waves::End(v1::Rollout::State state, const std::string& reason, Now now) {
  record_.set_state(state);
  record_.set_reason(reason);
  record_.set_ended_unix_ms(static_cast<uint64_t>(now.unix_ms));
}

}  // namespace sluice::rollout
