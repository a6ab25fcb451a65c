#include "common/base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "common/base/check.h"

namespace sluice::base {

void FillRandom(void* bytes, size_t count) {
  auto* next = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = getrandom(next, count, 0);
    if (got < 0 && errno == EINTR) continue;
    SLUICE_CHECK(got > 0);
    next += got;
    count -= static_cast<size_t>(got);
  }
}

uint64_t RandomSeed() {
  uint64_t seed;
  FillRandom(&seed, sizeof seed);
  return seed;
}

}  // namespace sluice::base
