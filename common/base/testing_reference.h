// Compares a generated file of the tree with what the code says; for tests only, which run in the
// root of the tree.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/base/file.h"

namespace sluice::base::testing {

// `path` from the root of the tree. SLUICE_UPDATE_DOCS=1 writes the file instead.
inline ::testing::AssertionResult IsReferenceCurrent(const std::string& path,
                                                     const std::string& generated) {
  const char* update = std::getenv("SLUICE_UPDATE_DOCS");
  if (update != nullptr && std::string(update) == "1") {
    const absl::Status written = WriteFileAtomically(path, generated, 0644);
    if (!written.ok()) return ::testing::AssertionFailure() << written;
  }
  if (ReadFile(path, size_t{4} << 20).value_or("(cannot be read)") == generated) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << path << " is not what the code says; SLUICE_UPDATE_DOCS=1 tools/test -R Reference "
         << "writes it anew";
}

}  // namespace sluice::base::testing
