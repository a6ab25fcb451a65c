// How many connections each worker has of an address: who accepts one more can see who has fewest.
//
// One for an address in the whole process. Any worker's thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::listener {

class Seats {
 public:
  explicit Seats(size_t workers) : workers_(workers), open_(std::make_unique<Seat[]>(workers)) {}

  std::atomic<uint32_t>& open(size_t worker) { return open_[worker].count; }
  uint32_t total() const {
    uint32_t sum = 0;
    for (size_t i = 0; i < workers_; ++i) sum += open_[i].count.load(std::memory_order_relaxed);
    return sum;
  }

  // The worker that should have a connection which `worker` accepted: itself, unless another has
  // clearly fewer. Handing one over costs a wake-up; the kernel's own spreading is even enough
  // where there are many.
  size_t BestFor(size_t worker) const {
    size_t best = worker;
    uint32_t least = Read(worker);
    const uint32_t mine = least;
    for (size_t i = 0; i < workers_; ++i) {
      if (Read(i) >= least) continue;
      best = i;
      least = Read(i);
    }
    return mine > least + least / kToleratedShare ? best : worker;
  }

 private:
  static constexpr uint32_t kToleratedShare = 8;
  struct alignas(64) Seat {  // A line of its own: each worker writes its own all the time.
    std::atomic<uint32_t> count{0};
  };

  uint32_t Read(size_t worker) const { return open_[worker].count.load(std::memory_order_relaxed); }

  const size_t workers_;
  const std::unique_ptr<Seat[]> open_;
};

}  // namespace sluice::listener
