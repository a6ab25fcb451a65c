// Pipes through which the kernel moves body bytes from one socket to another.
//
// For large bodies (h1-1m of tools/bench). Each thread keeps its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/io/socket.h"

namespace sluice::exchange {

class PipePool {
 public:
  // Below this, two system calls more cost more than the copy they save.
  static constexpr uint64_t kWorthwhileBytes = 64 * 1024;
  static constexpr size_t kPipeBytes = 512 * 1024;
  static constexpr size_t kKeptMax = 32;

  static PipePool& OfThread();
  ~PipePool();

 private:
  friend class Pipe;
  struct Ends {
    int read = -1, write = -1;
  };
  std::vector<Ends> free_;
};

// One pipe, borrowed. Goes back to the pool only if it is empty.
class Pipe {
 public:
  explicit Pipe(PipePool& pool);
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool valid() const { return ends_.read >= 0; }
  // Bytes, 0 at end of stream, or negative errno.
  ssize_t Fill(io::Socket& source, size_t bytes);
  // `more`: further bytes will follow soon.
  ssize_t Drain(io::Socket& target, size_t bytes, bool more);

 private:
  PipePool& pool_;
  PipePool::Ends ends_;
  size_t held_ = 0;
};

}  // namespace sluice::exchange
