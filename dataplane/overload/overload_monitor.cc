#include "dataplane/overload/overload_monitor.h"

#include <malloc.h>

#include "common/base/log.h"
#include "common/base/process.h"
#include "dataplane/overload/process_limits.h"

namespace sluice::overload {
namespace {

constexpr std::chrono::milliseconds kInterval{200};
// Of the system's memory: the kernel's socket buffers, and who else is there, need some.
constexpr uint64_t kMemoryPercent = 90;
constexpr uint64_t kMiB = 1 << 20;

}  // namespace

OverloadMonitor::OverloadMonitor(boost::asio::io_context& context, LoadGate& gate,
                                 std::function<void()> give_up_idle)
    : gate_(gate), give_up_idle_(std::move(give_up_idle)), timer_(context) {
  Configure({});
  Watch();
}

void OverloadMonitor::Configure(const v1::ProcessLimits& limits) {
  Limits effective;
  const uint64_t descriptors = DescriptorLimit();
  effective.descriptors = DescriptorsForClients(descriptors);
  effective.upstream_descriptors = DescriptorsForUpstreams(descriptors);
  if (limits.connections() > 0) effective.connections = limits.connections();
  effective.memory_bytes = limits.memory_bytes();
  if (effective.memory_bytes == 0) {
    const uint64_t system = MemoryLimit();
    effective.memory_bytes = system == UINT64_MAX ? system : system / 100 * kMemoryPercent;
  }
  gate_.SetLimits(effective);
}

void OverloadMonitor::Watch() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    Judge();
    Watch();
  });
}

void OverloadMonitor::Judge() {
  const bool before = gate_.sheds_requests();
  const uint64_t resident = base::ResidentBytes();
  if (resident == 0) return;  // No descriptor to read it by: as it was.
  const bool now = gate_.JudgeMemory(resident);
  if (now && !before) {
    base::LogWarn(
        "memory is short: {} MiB resident, the limit is {} MiB; requests are answered 503 and idle "
        "connections are closed until it is below {} %",
        resident / kMiB, gate_.limits().memory_bytes / kMiB, LoadGate::kMemoryCalmPercent);
  }
  if (before && !now) base::LogInfo("memory is no longer short: {} MiB resident", resident / kMiB);
  if (!now) return;
  give_up_idle_();
  malloc_trim(0);  // What was freed is resident until the heap gives it back.
}

}  // namespace sluice::overload
