// What the kernel says of this process, for metrics, reports and status.
#pragma once

#include <cstdint>

namespace sluice::base {

struct ProcessFigures {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_files = 0;
  uint64_t open_files_max = 0;
  uint64_t threads = 0;
  double cpu_seconds = 0;         // User and system.
  double start_unix_seconds = 0;  // When the process started.
};

// Reads /proc and asks the kernel; what cannot be read stays 0. A fraction of a millisecond.
ProcessFigures ReadProcessFigures();

// The resident_bytes alone, for who asks often; 0 if they cannot be read.
uint64_t ResidentBytes();

// As many descriptors as the system lets us have: every connection takes one or two, and the limit
// that a process begins with is often 1024.
void RaiseDescriptorLimit();

}  // namespace sluice::base
