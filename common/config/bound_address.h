// Whether two places where proxies listen are in each other's way.
#pragma once

#include "common/base/address.h"
#include "sluice/v1/listener.pb.h"

namespace sluice::config {

struct BoundAddress {
  base::SocketAddress address;
  const v1::Listener* listener = nullptr;  // Null: it is on every node.
};

// Same port, and an address that no node can have for both: where their placements exclude each
// other no node has both.
bool Collide(const BoundAddress& a, const BoundAddress& b);

}  // namespace sluice::config
