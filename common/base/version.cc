#include "common/base/version.h"

#include <fmt/core.h>

namespace sluice::base {

std::string_view Version() { return SLUICE_VERSION; }

std::string BuildInfo() {
  return fmt::format("{} ({}, {})", Version(), SLUICE_BUILD_TYPE, SLUICE_COMPILER);
}

}  // namespace sluice::base
