#include "dataplane/io/buffer.h"

#include <cstdlib>

namespace sluice::io {

BufferPool::~BufferPool() {
  for (char* block : small_) std::free(block);
  for (char* block : large_) std::free(block);
}

char* BufferPool::Take(size_t bytes, size_t* capacity) {
  std::vector<char*>* kept = nullptr;
  if (bytes <= kSmallBytes) {
    bytes = kSmallBytes;
    kept = &small_;
  } else if (bytes <= kLargeBytes) {
    bytes = kLargeBytes;
    kept = &large_;
  }
  *capacity = bytes;
  if (kept != nullptr && !kept->empty()) {
    char* block = kept->back();
    kept->pop_back();
    return block;
  }
  char* block = static_cast<char*>(std::malloc(bytes));
  if (block == nullptr) std::abort();
  return block;
}

void BufferPool::Give(char* block, size_t capacity) {
  std::vector<char*>* kept = capacity == kSmallBytes   ? &small_
                             : capacity == kLargeBytes ? &large_
                                                       : nullptr;
  if (kept != nullptr && kept->size() < kKeptMax) {
    kept->push_back(block);
  } else {
    std::free(block);
  }
}

void Buffer::Reserve(size_t bytes) {
  if (capacity_ >= bytes) return;
  size_t capacity = 0;
  char* block = pool_->Take(bytes, &capacity);
  const size_t held = size();
  if (held > 0) std::memcpy(block, block_ + begin_, held);
  if (block_ != nullptr) pool_->Give(block_, capacity_);
  block_ = block;
  capacity_ = capacity;
  begin_ = 0;
  end_ = held;
}

void Buffer::Release() {
  if (block_ != nullptr) pool_->Give(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void Buffer::Compact() {
  const size_t held = size();
  if (begin_ == 0) return;
  std::memmove(block_, block_ + begin_, held);
  begin_ = 0;
  end_ = held;
}

}  // namespace sluice::io
