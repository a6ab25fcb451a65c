// A queue of whole lines from one worker to the thread that writes them, with neither lock nor
// copy: the worker formats straight into it.
//
// Hot path. Begin and Publish are for the worker, Queued and Free for the other thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::observe {

class LogRing {
 public:
  // Past it lines are dropped and counted by the caller.
  static constexpr size_t kBytes = 1 << 20;

  LogRing();  // Maps the same memory twice in a row, so that no line is ever split.
  ~LogRing();
  LogRing(const LogRing&) = delete;
  LogRing& operator=(const LogRing&) = delete;

  // Room for `bytes`, or null.
  char* Begin(size_t bytes) {
    if (head_ + bytes - tail_seen_ > kBytes) [[unlikely]] {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head_ + bytes - tail_seen_ > kBytes) return nullptr;
    }
    return data_ + head_ % kBytes;
  }
  // `bytes` of what Begin gave now hold whole lines.
  void Publish(size_t bytes) {
    head_ += bytes;
    head_published_.store(head_, std::memory_order_release);
  }
  // For the worker; looks at the other side only when that might change the answer.
  bool HalfFull() {
    if (head_ - tail_seen_ <= kBytes / 2) [[likely]]
      return false;
    tail_seen_ = tail_.load(std::memory_order_acquire);
    return head_ - tail_seen_ > kBytes / 2;
  }

  std::span<const char> Queued() const {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    const uint64_t head = head_published_.load(std::memory_order_acquire);
    return {data_ + tail % kBytes, static_cast<size_t>(head - tail)};
  }
  void Free(size_t bytes) {
    tail_.store(tail_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  }

 private:
  char* data_;
  // Counts of bytes since the beginning. The worker's:
  alignas(64) uint64_t head_ = 0;
  uint64_t tail_seen_ = 0;
  std::atomic<uint64_t> head_published_{0};
  // The other thread's:
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace sluice::observe
