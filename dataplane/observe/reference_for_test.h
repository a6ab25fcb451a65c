// Compares a page of docs/reference with what the code says; for tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sluice::observe {

// SLUICE_UPDATE_DOCS=1 writes the page instead.
inline ::testing::AssertionResult IsReferenceCurrent(const std::string& page,
                                                     const std::string& expected) {
  const std::filesystem::path path =
      std::filesystem::path(SLUICE_SOURCE_DIR) / "docs" / "reference" / page;
  const char* update = std::getenv("SLUICE_UPDATE_DOCS");
  if (update != nullptr && std::string(update) == "1") {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << expected;
  }
  std::ifstream file(path);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  if (found == expected) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << path << " is stale; run this test with SLUICE_UPDATE_DOCS=1 and keep the result";
}

}  // namespace sluice::observe
