#include "controlplane/rollout/strategy.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "controlplane/yaml/wave.h"

namespace sluice::rollout {
size_t ReachOf(std::string_view text, size_t nodes) {
  const std::optional<yaml::Wave> wave = yaml::ParseWave(text);
  if (!wave) return nodes;
  const size_t reach = wave->percent ? (nodes * wave->amount + 99) / 100 : wave->amount;
  return std::clamp<size_t>(reach, 1, std::max<size_t>(nodes, 1));
}

std::vector<v1::RolloutWave> PlanWaves(const v1::RolloutStrategy& strategy,
                                       const std::vector<publish::NodeView>& nodes) {
  std::vector<const publish::NodeView*> order, others;
  for (const publish::NodeView& node : nodes) {
    if (!node.cordoned) (node.concerned ? order : others).push_back(&node);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::forward_as_tuple(!a->connected, a->order.empty(), a->order, a->id) <
           std::forward_as_tuple(!b->connected, b->order.empty(), b->order, b->id);
  });
  std::vector<v1::RolloutWave> waves;
  size_t out = 0;
  for (const std::string& text : strategy.waves()) {
    const size_t reach = ReachOf(text, order.size());
    if (reach >= order.size()) break;
    if (reach <= out) continue;
    v1::RolloutWave& wave = waves.emplace_back();
    for (; out < reach; ++out) wave.add_node_ids(order[out]->id);
    wave.set_size(static_cast<uint32_t>(reach));
  }
  v1::RolloutWave& all = waves.emplace_back();
  for (; out < order.size(); ++out) all.add_node_ids(order[out]->id);
  for (const publish::NodeView* node : others) all.add_node_ids(node->id);
  all.set_size(static_cast<uint32_t>(order.size() + others.size()));
  return waves;
}

}  // namespace sluice::rollout
