// Blocks of bytes lent by a worker's pool. Held only while there are bytes in them: an idle
// connection holds none.
//
// Hot path: no allocation once the pool is warm. One pool per worker thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::io {

class BufferPool {
 public:
  static constexpr size_t kSmallBytes = 16 * 1024;  // Request heads and bodies.
  static constexpr size_t kLargeBytes = 64 * 1024;  // Responses.
  // Free blocks kept of each size; beyond that they return to the heap.
  static constexpr size_t kKeptMax = 64;

  BufferPool() = default;
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // `bytes` is rounded up to a pooled size; larger blocks come from the heap.
  char* Take(size_t bytes, size_t* capacity);
  void Give(char* block, size_t capacity);

 private:
  std::vector<char*> small_;
  std::vector<char*> large_;
};

// A window of bytes in a block: consumed at the front, filled at the back.
class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(&pool) {}
  ~Buffer() { Release(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Makes sure a block of at least `bytes` is held, keeping the content.
  void Reserve(size_t bytes);
  // Gives the block back, content and all.
  void Release();

  std::string_view view() const { return {block_ + begin_, end_ - begin_}; }
  char* data() { return block_ + begin_; }
  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  size_t capacity() const { return capacity_; }

  void Consume(size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void Clear() { begin_ = end_ = 0; }

  // Room at the back; the content is moved to the front if there is less than `least`.
  char* tail(size_t least = 1) {
    if (capacity_ - end_ < least) Compact();
    return block_ + end_;
  }
  size_t room() const { return capacity_ - end_; }
  void Filled(size_t bytes) { end_ += bytes; }
  // Shortens the content at the back.
  void Truncate(size_t bytes) { end_ = begin_ + bytes; }

  void Swap(Buffer& other) {
    std::swap(pool_, other.pool_);
    std::swap(block_, other.block_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

 private:
  void Compact();

  BufferPool* pool_;
  char* block_ = nullptr;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace sluice::io
