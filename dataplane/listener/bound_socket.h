// Sockets bound to an address, one per worker (SO_REUSEPORT), not yet listening: no client can
// reach them until a worker says so.
//
// Control thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"

namespace sluice::listener {

// `address`: ip:port. The error names the address and, where it can, the remedy.
absl::StatusOr<std::vector<base::UniqueFd>> BindSockets(const std::string& address, int count);

}  // namespace sluice::listener
