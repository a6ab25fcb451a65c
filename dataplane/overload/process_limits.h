// What the system lets this process have: the limits where the configuration names none.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::overload {

// Bytes: the least memory limit of the control groups the process is in (version 2), else the
// machine's memory. UINT64_MAX if neither can be read. `root` and `self` are the file system's and
// /proc/self, but for tests.
uint64_t MemoryLimit(const std::string& root = "", const std::string& self = "/proc/self");

// Of `limit` descriptors, as many as clients may take it to: the rest is for connections to
// upstreams; and as many as these may: the rest is for files and the control plane.
uint64_t DescriptorsForClients(uint64_t limit);
uint64_t DescriptorsForUpstreams(uint64_t limit);

// The present RLIMIT_NOFILE; UINT64_MAX if it cannot be read, or is infinite.
uint64_t DescriptorLimit();

}  // namespace sluice::overload
