#include "tools/sluicectl/finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace sluice::sluicectl {
namespace {

constexpr size_t kNamesShown = 3;

}  // namespace

std::string NamesOf(const Nodes& nodes) {
  if (nodes.size() == 1) return "node " + nodes.front()->node_id();
  std::string names;
  for (size_t i = 0; i < std::min(nodes.size(), kNamesShown); ++i) {
    names += (i == 0 ? "" : ", ") + nodes[i]->node_id();
  }
  if (nodes.size() > kNamesShown) names += ", ...";
  return fmt::format("{} nodes ({})", nodes.size(), names);
}

std::string DescribeNode(const v1::NodeStatus& node) {
  return "sluicectl describe node " + ShellWord(node.node_id());
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
