// One worker's part in a preflight: routes a share of its requests by the prepared snapshot too,
// and adds up what would change. Nothing it finds has any effect on a request.
//
// The worker's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/random.h"
#include "common/preflight/tally.h"
#include "dataplane/preflight/comparison.h"

namespace sluice::preflight {

class Shadow {
 public:
  // `prepared` must outlive it.
  Shadow(const runtime::RuntimeConfig& prepared, uint32_t sample_percent);

  // Whether the next request is one of the sample.
  bool Wants(base::Random& random) const {
    return sample_percent_ >= 100 || random.Below(100) < sample_percent_;
  }
  // Of a request that the serving snapshot treats like this.
  void Look(const Treatment& now, const SampledRequest& request);

  v1::PreflightReport ToReport() const { return tally_.ToReport(); }

 private:
  const runtime::RuntimeConfig& prepared_;
  const uint32_t sample_percent_;
  std::unordered_map<std::string_view, const runtime::Service*> services_;  // By address.
  Tally tally_;
};

}  // namespace sluice::preflight
