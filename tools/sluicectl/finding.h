// Something that is not as it should be, and the words for it.
#pragma once

#include <string>
#include <vector>

#include "sluice/v1/admin_service.pb.h"

namespace sluice::sluicectl {

// One thing that is not as it should be.
struct Finding {
  bool urgent = false;  // Traffic suffers, or soon will; else it is to be known.
  std::string what;     // "node edge-1 refused version 7: address in use"
  std::string next;     // A command, or words: "sluicectl describe node edge-1"
};

using Nodes = std::vector<const v1::NodeStatus*>;

// "node edge-1", "3 nodes (edge-1, edge-2, edge-3)", "9 nodes (edge-1, edge-2, edge-3, ...)"; of
// none there is nothing to say.
std::string NamesOf(const Nodes& nodes);

// "sluicectl describe node edge-1"
std::string DescribeNode(const v1::NodeStatus& node);

// As one word of a shell command: what comes from strangers must not become another command.
std::string ShellWord(const std::string& text);

}  // namespace sluice::sluicectl
