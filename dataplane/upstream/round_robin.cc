#include "dataplane/upstream/round_robin.h"

#include <algorithm>

namespace sluice::upstream {

RoundRobin::RoundRobin(std::span<const EndpointLoad> endpoints, uint64_t seed)
    : endpoints_(endpoints) {
  const auto count = static_cast<uint32_t>(endpoints.size());
  all_.reserve(count);
  heap_.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const auto rank = static_cast<uint32_t>((i + seed % count) % count);
    // Half a step: light endpoints come in the middle of their period, not all at its end.
    all_.push_back({StepOf(i) / 2, rank, i});
  }
}

uint64_t RoundRobin::StepOf(uint32_t index) const {
  return kTurn / std::max(1u, endpoints_[index].weight);
}

void RoundRobin::Put(const Turn& turn) {
  heap_.push_back(turn);
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

RoundRobin::Turn RoundRobin::TakeFirst() {
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  const Turn first = heap_.back();
  heap_.pop_back();
  return first;
}

void RoundRobin::SetUsable(std::span<const uint32_t> usable) {
  for (const Turn& turn : heap_) all_[turn.index] = turn;
  heap_.clear();
  for (const uint32_t index : usable) {
    Turn turn = all_[index];
    // Turns missed while away are not made up for.
    turn.due = std::max(turn.due, now_);
    Put(turn);
  }
}

int RoundRobin::Pick(uint64_t /*hash*/, const TriedEndpoints& tried) {
  Turn passed_over[TriedEndpoints::kAttemptsMax];
  uint32_t passed_over_count = 0;
  int picked = -1;
  while (picked < 0 && !heap_.empty()) {
    Turn turn = TakeFirst();
    if (tried.Contains(turn.index)) {
      passed_over[passed_over_count++] = turn;
      continue;
    }
    picked = static_cast<int>(turn.index);
    now_ = std::max(now_, turn.due);
    turn.due += StepOf(turn.index);
    Put(turn);
  }
  for (uint32_t i = 0; i < passed_over_count; ++i) Put(passed_over[i]);
  if (now_ >= kTimeMax) [[unlikely]]
    Rebase();
  return picked;
}

// Keeps virtual time far from overflow: every million turns of weight 1.
void RoundRobin::Rebase() {
  // The same shift for all keeps the heap's order.
  const uint64_t shift = std::min(now_, heap_.empty() ? now_ : heap_.front().due);
  for (Turn& turn : heap_) turn.due -= shift;
  for (Turn& turn : all_) turn.due -= std::min(turn.due, shift);
  now_ -= shift;
}

}  // namespace sluice::upstream
