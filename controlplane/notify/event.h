// Something that people or programs outside want to hear of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/v1/snapshot.pb.h"

namespace sluice::notify {

enum class EventKind : uint8_t { kVersion, kRollout, kNode };

std::string_view NameOf(EventKind kind);  // version, rollout, node

struct Event {
  EventKind kind = EventKind::kVersion;
  std::string action;   // What happened: released, refused, connected, ...
  v1::Version version;  // Which it is about, or what the node serves; without a root: none.
  std::string node_id;  // Empty: of no single node.
  std::string author;
  std::string message;  // For people: why, with figures where there are some.
  int64_t unix_ms = 0;  // 0: now.
};

}  // namespace sluice::notify
