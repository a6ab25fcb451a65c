#include "dataplane/upstream/least_request.h"

namespace sluice::upstream {

int LeastRequest::Pick(uint64_t /*hash*/, const TriedEndpoints& tried) {
  const int first = sampler_.Draw(tried);
  if (first < 0) return -1;
  const auto a = static_cast<uint32_t>(first);

  TriedEndpoints others = tried;
  others.Add(a);
  const int second = sampler_.Draw(others);
  if (second < 0) return first;
  const auto b = static_cast<uint32_t>(second);

  // a.active / a.weight <= b.active / b.weight, without dividing.
  const uint64_t load_a = uint64_t{endpoints_[a].active_requests} * sampler_.WeightOf(b);
  const uint64_t load_b = uint64_t{endpoints_[b].active_requests} * sampler_.WeightOf(a);
  return load_a <= load_b ? first : second;
}

}  // namespace sluice::upstream
