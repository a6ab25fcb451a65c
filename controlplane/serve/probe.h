// Is a process dead, or only out of reach?
#pragma once

#include <chrono>
#include <string>

namespace sluice::serve {

// True: the machine is there and says that nobody listens on host:port. False: whatever else,
// silence too. Blocks for about as long as `timeout`, and for what looking up a name takes.
bool IsConnectionRefused(const std::string& host_port, std::chrono::milliseconds timeout);

}  // namespace sluice::serve
