// What a worker lends to the connections and exchanges that run on it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/random.h"
#include "dataplane/io/buffer.h"
#include "dataplane/io/reactor.h"
#include "dataplane/observe/access_log.h"
#include "dataplane/observe/metrics.h"
#include "dataplane/overload/load_gate.h"
#include "dataplane/runtime/runtime_config.h"
#include "dataplane/upstream/cluster.h"

namespace sluice::preflight {
class Shadow;
}

namespace sluice::runtime {

// One snapshot as one worker serves it. Counted by that worker alone: `uses` are the exchanges that
// run on it, plus one while it is the current one.
struct WorkerRuntime {
  const RuntimeConfig* config = nullptr;
  std::vector<std::shared_ptr<upstream::Cluster>> clusters;  // Same indexes as config->clusters.
  uint32_t uses = 0;
};

struct WorkerContext {
  io::Reactor& reactor;
  io::BufferPool& buffers;
  base::Random& random;
  observe::WorkerStats& stats;
  observe::AccessLog::Writer& access_log;
  overload::LoadGate& gate;  // The process's.
  // Called when the last use of a runtime ended.
  void (*retire)(void* owner, WorkerRuntime* runtime) = nullptr;
  // Closes some of the oldest idle client connections; how many it were.
  size_t (*give_up_oldest_idle)(void* owner) = nullptr;
  void* owner = nullptr;
  preflight::Shadow* shadow = nullptr;  // While a preflight runs.
  bool draining = false;
};

// Keeps a runtime alive on its worker. Not thread-safe, no atomics.
class RuntimeUse {
 public:
  RuntimeUse(WorkerContext& context, WorkerRuntime& runtime)
      : context_(context), runtime_(runtime) {
    ++runtime_.uses;
  }
  ~RuntimeUse() {
    if (--runtime_.uses == 0) context_.retire(context_.owner, &runtime_);
  }
  RuntimeUse(const RuntimeUse&) = delete;
  RuntimeUse& operator=(const RuntimeUse&) = delete;

  WorkerRuntime& runtime() const { return runtime_; }
  const RuntimeConfig& config() const { return *runtime_.config; }
  upstream::Cluster& cluster(uint32_t index) const { return *runtime_.clusters[index]; }

 private:
  WorkerContext& context_;
  WorkerRuntime& runtime_;
};

}  // namespace sluice::runtime
