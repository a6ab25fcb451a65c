// A folder that goes with the test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace sluice::store::testing {

class Folder {
 public:
  Folder() {
    std::string name = ::testing::TempDir() + "/sluice-XXXXXX";
    path_ = mkdtemp(name.data()) != nullptr ? name : "";
    EXPECT_NE(path_, "");
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace sluice::store::testing
