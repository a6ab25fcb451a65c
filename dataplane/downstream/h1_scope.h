// Memory of a connection while a request is under way.
#pragma once

#include "dataplane/downstream/h1_connection.h"

namespace sluice::downstream {

struct H1Connection::Scope {
  explicit Scope(ServiceBinding& binding)
      : memories(binding.memories),
        memory(binding.memories.Take()),
        body(binding.context.buffers),
        out(binding.context.buffers) {}
  ~Scope() { memories.Give(std::move(memory)); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  exchange::MemoryPool& memories;
  std::unique_ptr<exchange::Memory> memory;
  io::Buffer body;           // Body bytes read after those that came with the head.
  io::Buffer out;            // The response head.
  size_t head_bytes = 0;     // Of in_: the request's head.
  size_t body_bytes_in = 0;  // Of in_, behind the head: body bytes used up.
  std::string_view pending;  // A piece already decoded and not yet given out.
  http::Failure pending_failure = http::Failure::kNone;
  int64_t started_micros = 0;
  int64_t deadline_micros = 0;  // Of the response; 0: none.
};

}  // namespace sluice::downstream
