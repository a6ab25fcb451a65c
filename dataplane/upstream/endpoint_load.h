// What balancing knows of an endpoint and of the exchange it picks for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "dataplane/upstream/endpoint_health.h"

namespace sluice::upstream {

// What balancing needs to know of an endpoint; the cluster keeps one for each, in configuration
// order.
struct EndpointLoad {
  const EndpointHealth* health;  // Never null.
  uint32_t weight = 1;           // 0 counts as 1.
  uint32_t active_requests = 0;  // Of this worker.
};

// The endpoints an exchange has already tried, so that a retry goes elsewhere.
class TriedEndpoints {
 public:
  static constexpr uint32_t kAttemptsMax = 8;

  // Beyond kAttemptsMax the endpoint is not remembered.
  void Add(uint32_t index) {
    if (count_ < kAttemptsMax && !Contains(index)) indexes_[count_++] = index;
  }
  bool Contains(uint32_t index) const {
    return std::find(indexes_, indexes_ + count_, index) != indexes_ + count_;
  }
  void Clear() { count_ = 0; }
  bool empty() const { return count_ == 0; }
  uint32_t size() const { return count_; }

 private:
  uint32_t count_ = 0;
  uint32_t indexes_[kAttemptsMax] = {};
};

}  // namespace sluice::upstream
