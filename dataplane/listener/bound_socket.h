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
// Further ones beside sockets of ours (this process's or the one it takes over from) that are bound
// to the address.
absl::StatusOr<std::vector<base::UniqueFd>> BindMoreSockets(const std::string& address, int count);

}  // namespace sluice::listener
