#include "common/base/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace sluice::base {
namespace {

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double SecondsOf(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

uint64_t CountOpenFiles() {
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  uint64_t count = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count > 0 ? count - 1 : 0;  // Without the folder itself.
}

// proc(5): fields of /proc/self/stat after the command, which may hold spaces and parentheses.
void ReadStat(ProcessFigures* figures) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return;
  const size_t command_end = line.rfind(')');
  if (command_end == std::string::npos) return;
  std::istringstream rest(line.substr(command_end + 1));
  std::string word;
  for (int field = 3; rest >> word; ++field) {
    if (field == 20) figures->threads = std::strtoull(word.c_str(), nullptr, 10);
    if (field == 23) figures->virtual_bytes = std::strtoull(word.c_str(), nullptr, 10);
    if (field == 24) {
      const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
      figures->resident_bytes = std::strtoull(word.c_str(), nullptr, 10) * page_bytes;
    }
    if (field != 22) continue;
    // Ticks since boot.
    const double started =
        std::strtod(word.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
    timespec now{}, since_boot{};
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    figures->start_unix_seconds = SecondsOf(now) - SecondsOf(since_boot) + started;
  }
}

}  // namespace

ProcessFigures ReadProcessFigures() {
  ProcessFigures figures;
  ReadStat(&figures);
  figures.open_files = CountOpenFiles();
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) figures.open_files_max = files.rlim_cur;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_seconds = SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime);
  }
  return figures;
}

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t virtual_pages = 0, resident_pages = 0;
  file >> virtual_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace sluice::base
