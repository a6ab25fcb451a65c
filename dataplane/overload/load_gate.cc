#include "dataplane/overload/load_gate.h"

namespace sluice::overload {

std::string_view NameOf(Resource resource) {
  switch (resource) {
    case Resource::kMemory:
      return "memory";
    case Resource::kConnections:
      return "connections";
    case Resource::kDescriptors:
      return "descriptors";
    case Resource::kCount:
      break;
  }
  __builtin_unreachable();
}

void LoadGate::SetLimits(const Limits& limits) {
  memory_limit_.store(limits.memory_bytes, std::memory_order_relaxed);
  connections_limit_.store(limits.connections, std::memory_order_relaxed);
  descriptors_limit_.store(limits.descriptors, std::memory_order_relaxed);
  upstream_descriptors_limit_.store(limits.upstream_descriptors, std::memory_order_relaxed);
}

Limits LoadGate::limits() const {
  return {.memory_bytes = memory_limit_.load(std::memory_order_relaxed),
          .connections = connections_limit_.load(std::memory_order_relaxed),
          .descriptors = descriptors_limit_.load(std::memory_order_relaxed),
          .upstream_descriptors = upstream_descriptors_limit_.load(std::memory_order_relaxed)};
}

bool LoadGate::JudgeMemory(uint64_t resident_bytes) {
  const uint64_t limit = memory_limit_.load(std::memory_order_relaxed);
  const uint64_t calm = limit / 100 * kMemoryCalmPercent;
  const bool sheds = resident_bytes >= (sheds_requests() ? calm : limit);
  sheds_requests_.store(sheds, std::memory_order_relaxed);
  return sheds;
}

std::optional<Resource> LoadGate::WantingFor(int fd) const {
  if (static_cast<uint64_t>(fd) >= descriptors_limit_.load(std::memory_order_relaxed)) {
    return Resource::kDescriptors;
  }
  if (connections() >= connections_limit_.load(std::memory_order_relaxed)) {
    return Resource::kConnections;
  }
  return std::nullopt;
}

}  // namespace sluice::overload
