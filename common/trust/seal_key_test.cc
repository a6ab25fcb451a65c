#include "common/trust/seal_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace sluice::trust {
namespace {

using ::testing::HasSubstr;

class SealKeyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/seal-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    source_.environment = "SLUICE_TEST_SEAL_KEY";
    source_.default_file = folder_ + "/seal.key";
    unsetenv("SLUICE_TEST_SEAL_KEY");
  }
  void TearDown() override {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string Error() const { return std::string(LoadSealer(source_).status().message()); }

  const std::string key_ = std::string(64, 'a');
  const std::string name_ = Sealer(std::string(32, '\xaa')).key_name();
  std::string folder_;
  SealKeySource source_;
};

TEST_F(SealKeyTest, AFileIsMadeOnceIfNothingIsGiven) {
  const auto first = LoadSealer(source_);
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info;
  ASSERT_EQ(stat(source_.default_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(LoadSealer(source_)->key_name(), first->key_name());
}

TEST_F(SealKeyTest, NoneIsMadeWhereSomethingIsSealedAlready) {
  source_.may_make = false;
  EXPECT_THAT(Error(), HasSubstr("seal.key is missing"));
  EXPECT_FALSE(std::filesystem::exists(source_.default_file));
}

TEST_F(SealKeyTest, FileCommandAndEnvironmentGoBeforeIt) {
  source_.file = Write("key", key_ + "\n");
  EXPECT_EQ(LoadSealer(source_)->key_name(), name_);
  source_.file.clear();
  source_.command = "/bin/cat " + folder_ + "/key";
  EXPECT_EQ(LoadSealer(source_)->key_name(), name_);
  source_.command.clear();
  setenv("SLUICE_TEST_SEAL_KEY", key_.c_str(), 1);
  EXPECT_EQ(LoadSealer(source_)->key_name(), name_);
  unsetenv("SLUICE_TEST_SEAL_KEY");
  EXPECT_FALSE(std::filesystem::exists(source_.default_file));
}

TEST_F(SealKeyTest, ErrorsSayWhereTheKeyIsWrong) {
  source_.file = Write("short", "abcd");
  EXPECT_THAT(Error(), HasSubstr("/short: a key of 64 hexadecimal digits"));
  source_.file = folder_ + "/none";
  EXPECT_THAT(Error(), HasSubstr("/none"));
  source_.file.clear();
  source_.command = "/bin/false";
  EXPECT_THAT(Error(), HasSubstr("--seal-key-command: the program failed"));
  source_.command = "/nonexistent/program";
  EXPECT_THAT(Error(), HasSubstr("/nonexistent/program"));
  source_.command = "/bin/echo hello";
  EXPECT_THAT(Error(), HasSubstr("--seal-key-command: a key of"));
  source_.file = Write("key", key_);
  EXPECT_THAT(Error(), HasSubstr("exclude each other"));
  source_.file = source_.command = "";
  std::ofstream(source_.default_file) << "torn";
  EXPECT_THAT(Error(), HasSubstr("seal.key"));
}

}  // namespace
}  // namespace sluice::trust
