// What a rollout looks at when it judges a node.
#pragma once

#include <string>
#include <vector>

#include "controlplane/publish/traffic.h"

namespace sluice::publish {

struct NodeView {
  std::string id;
  std::string order;       // The value of the label that orders the waves.
  bool connected = false;  // Has a stream, and has reported lately.
  bool leaving = false;    // It drains, or did when it was seen last.
  bool cordoned = false;   // It keeps what it has, whatever is released.
  bool concerned = true;   // The version asked about changes something that is placed on it.
  std::string boot_id;
  std::string root;                           // What it serves, as it last said.
  std::string reported_root;                  // What its counters are of: as its last report said.
  bool refused = false;                       // The version asked about.
  std::string refusal;                        // Why.
  int64_t report_ms = 0;                      // When its counters were heard; monotonic; 0: never.
  Traffic counters;                           // Since its process began.
  Traffic lately;                             // In the last minute, at the longest.
  std::vector<std::string> broken_upstreams;  // Less than half of their endpoints healthy; sorted.
};

}  // namespace sluice::publish
