// Which service the connections of one listener belong to, as snapshots come and go.
//
// One per listener and worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "dataplane/exchange/memory.h"
#include "dataplane/runtime/worker_context.h"

namespace sluice::downstream {

class ClientConnection;

struct ServiceBinding {
  ServiceBinding(runtime::WorkerContext& context_in, exchange::MemoryPool& memories_in,
                 std::atomic<uint32_t>& open_connections_in)
      : context(context_in), memories(memories_in), open_connections(open_connections_in) {}

  runtime::WorkerContext& context;
  exchange::MemoryPool& memories;
  std::atomic<uint32_t>& open_connections;  // Of the service on this worker.

  // The newest snapshot that has the service; its place in it.
  std::optional<runtime::RuntimeUse> runtime;
  uint32_t service_index = 0;
  bool closing = false;  // The listener is going: connections end with their present exchange.

  ClientConnection* connections = nullptr;  // All of them, linked.

  const runtime::Service& service() const { return *runtime->config().services[service_index]; }
  bool winding_down() const { return closing || context.draining; }
};

}  // namespace sluice::downstream
