// Memory for coroutine frames: per-thread free lists by size, so that a warm request path never
// calls malloc. A frame must be freed on the thread that made it.
#pragma once

#include <cstddef>

namespace sluice::io {

class FramePool {
 public:
  static void* Allocate(size_t bytes);
  static void Free(void* frame, size_t bytes);
};

}  // namespace sluice::io
