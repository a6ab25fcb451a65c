#include "dataplane/io/frame_pool.h"

#include <cstdlib>
#include <new>

namespace sluice::io {
namespace {

constexpr size_t kStep = 32;
constexpr size_t kClasses = 128;  // Up to 4 KiB; larger frames go to malloc.

struct FreeFrame {
  FreeFrame* next;
};

// Frames are returned to the heap when the thread ends.
struct FreeLists {
  FreeFrame* heads[kClasses] = {};
  ~FreeLists() {
    for (FreeFrame*& head : heads) {
      while (head != nullptr) {
        FreeFrame* next = head->next;
        std::free(head);
        head = next;
      }
    }
  }
};

thread_local FreeLists lists;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPooled = false;  // So that a use after free is seen.
#else
constexpr bool kPooled = true;
#endif

void* FromHeap(size_t bytes) {
  void* frame = std::malloc(bytes);
  if (frame == nullptr) std::abort();  // A worker without memory for a frame cannot go on.
  return frame;
}

}  // namespace

void* FramePool::Allocate(size_t bytes) {
  const size_t size_class = (bytes - 1) / kStep;
  if (!kPooled || size_class >= kClasses) return FromHeap(bytes);
  FreeFrame*& head = lists.heads[size_class];
  if (head == nullptr) return FromHeap((size_class + 1) * kStep);
  FreeFrame* frame = head;
  head = frame->next;
  return frame;
}

void FramePool::Free(void* frame, size_t bytes) {
  const size_t size_class = (bytes - 1) / kStep;
  if (!kPooled || size_class >= kClasses) {
    std::free(frame);
    return;
  }
  lists.heads[size_class] = new (frame) FreeFrame{lists.heads[size_class]};
}

}  // namespace sluice::io
