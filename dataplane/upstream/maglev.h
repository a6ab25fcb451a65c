// Consistent hashing by Maglev's lookup table (Eisenbud et al., NSDI 2016, section 3.4).
//
// All proxies with the same endpoints send a key to the same one, whatever the order of
// configuration. Adding one of n endpoints moves about 1/n of the keys, except where it makes the
// table change size (see kTableSizes). Health does not change the table: keys of an endpoint that
// may not be used go to others, evenly, and come back with it; all other keys stay.
//
// Hot path: no allocation. One worker's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/upstream/endpoint_load.h"

namespace sluice::upstream {

class Maglev {
 public:
  // `endpoints` must outlive this object. `identities`: one for each endpoint.
  Maglev(std::span<const EndpointLoad> endpoints, std::span<const std::string> identities);

  void SetUsable(std::span<const uint32_t> usable);
  int Pick(uint64_t hash, const TriedEndpoints& tried) const;

 private:
  void Fill(std::span<const EndpointLoad> endpoints, std::span<const std::string> identities);
  bool MayUse(uint32_t index, const TriedEndpoints& tried) const {
    return usable_[index] != 0 && !tried.Contains(index);
  }

  std::vector<uint32_t> table_;  // Endpoint by slot.
  std::vector<uint8_t> usable_;  // By endpoint.
};

}  // namespace sluice::upstream
