#include "dataplane/overload/process_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string_view>

namespace sluice::overload {
namespace {

// The group's path, from the line "0::/path" of version 2; empty if there is none.
std::string GroupPath(const std::string& self) {
  std::ifstream file(self + "/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return {};
}

uint64_t GroupLimit(const std::string& folder) {
  std::ifstream file(folder + "/memory.max");
  uint64_t limit = 0;
  return file >> limit ? limit : UINT64_MAX;  // "max": none here.
}

uint64_t MachineMemory(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  return file >> name >> kib && name == "MemTotal:" ? kib * 1024 : UINT64_MAX;
}

}  // namespace

uint64_t MemoryLimit(const std::string& root, const std::string& self) {
  uint64_t limit = MachineMemory(root);
  // A group's own limit may be above that of one it lies in.
  std::string path = GroupPath(self);
  while (!path.empty()) {
    limit = std::min(limit, GroupLimit(root + "/sys/fs/cgroup" + path));
    path.resize(path.rfind('/'));
  }
  return limit;
}

uint64_t DescriptorsForClients(uint64_t limit) {
  if (limit == UINT64_MAX) return limit;
  const uint64_t reserve = std::clamp<uint64_t>(limit / 8, 64, 4096);
  return limit - std::min(reserve, limit / 2);
}

uint64_t DescriptorsForUpstreams(uint64_t limit) {
  if (limit == UINT64_MAX) return limit;
  return limit - std::min<uint64_t>(32, limit / 4);
}

uint64_t DescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

}  // namespace sluice::overload
