#include "dataplane/observe/log_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"

namespace sluice::observe {

LogRing::LogRing() {
  const int memory = memfd_create("access log", MFD_CLOEXEC);
  SLUICE_CHECK(memory >= 0);
  SLUICE_CHECK(ftruncate(memory, kBytes) == 0);
  // The reservation keeps both halves' addresses free for them.
  void* const place =
      mmap(nullptr, 2 * kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  SLUICE_CHECK(place != MAP_FAILED);
  data_ = static_cast<char*>(place);
  for (char* half : {data_, data_ + kBytes}) {
    SLUICE_CHECK(mmap(half, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0) ==
                 half);
  }
  close(memory);
}

LogRing::~LogRing() { munmap(data_, 2 * kBytes); }

}  // namespace sluice::observe
