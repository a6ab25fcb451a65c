// What the process may hold at most, and who is turned away when it is used up: whoever lets in
// more work asks here first.
//
// On the request path: relaxed atomics only. Limits are set and memory is judged on the control
// thread; any thread asks and counts.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::overload {

enum class Resource : uint8_t { kMemory, kConnections, kDescriptors, kCount };
inline constexpr size_t kResourceCount = static_cast<size_t>(Resource::kCount);
// As in the label `resource` of metrics.
std::string_view NameOf(Resource resource);

struct Limits {
  uint64_t memory_bytes = UINT64_MAX;          // Resident, of the process.
  uint64_t connections = UINT64_MAX;           // Of clients, to all services together.
  uint64_t descriptors = UINT64_MAX;           // Of the process, that clients may take it to.
  uint64_t upstream_descriptors = UINT64_MAX;  // And connections to upstreams, to serve them.
};

class LoadGate {
 public:
  // Requests are shed from the limit on until no more than this share of it is resident.
  static constexpr uint64_t kMemoryCalmPercent = 95;

  void SetLimits(const Limits& limits);
  Limits limits() const;

  // Takes note of what is resident; whether requests are shed now.
  bool JudgeMemory(uint64_t resident_bytes);
  bool sheds_requests() const { return sheds_requests_.load(std::memory_order_relaxed); }

  // What is wanting for a client's connection that was just accepted as `fd`: nothing, or the
  // first resource it would take beyond its limit. A new descriptor has the lowest free number
  // (POSIX accept), so `fd` others are in use at least.
  std::optional<Resource> WantingFor(int fd) const;
  void ConnectionOpened() { connections_.fetch_add(1, std::memory_order_relaxed); }
  void ConnectionClosed() { connections_.fetch_sub(1, std::memory_order_relaxed); }
  uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }

  // Requests and connections that were refused, or idle connections that were given up.
  void CountShed(Resource resource, uint64_t count = 1) {
    shed_[static_cast<size_t>(resource)].fetch_add(count, std::memory_order_relaxed);
  }
  uint64_t shed_total(Resource resource) const {
    return shed_[static_cast<size_t>(resource)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<uint64_t> memory_limit_{UINT64_MAX};
  std::atomic<uint64_t> connections_limit_{UINT64_MAX};
  std::atomic<uint64_t> descriptors_limit_{UINT64_MAX};
  std::atomic<uint64_t> upstream_descriptors_limit_{UINT64_MAX};
  std::atomic<uint64_t> connections_{0};
  std::atomic<bool> sheds_requests_{false};
  std::array<std::atomic<uint64_t>, kResourceCount> shed_{};
};

}  // namespace sluice::overload
