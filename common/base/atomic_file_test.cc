#include "common/base/atomic_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

namespace sluice::base {
namespace {

class AtomicFileTest : public ::testing::Test {
 protected:
  AtomicFileTest() { std::filesystem::create_directories(folder_); }
  ~AtomicFileTest() override { std::filesystem::remove_all(folder_); }

  size_t FilesInFolder() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::string Content() const { return ReadFile(path_, 1000).value_or("none"); }

  const std::string folder_ = ::testing::TempDir() + "/atomic-" + std::to_string(::getpid());
  const std::string path_ = folder_ + "/file";
};

TEST_F(AtomicFileTest, IsThereWholeOnceCommitted) {
  auto file = AtomicFile::Create(path_, 0640);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Append("one ").ok());
  ASSERT_TRUE(file->Append("two").ok());
  EXPECT_EQ(Content(), "none");
  EXPECT_EQ(ReadFile(file->temporary(), 1000).value(), "one two");
  ASSERT_TRUE(file->Commit().ok());
  EXPECT_EQ(Content(), "one two");
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(AtomicFileTest, WithoutCommitWhatWasThereStays) {
  ASSERT_TRUE(WriteFileAtomically(path_, "old", 0600).ok());
  {
    auto file = AtomicFile::Create(path_, 0600);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Append("new").ok());
    const AtomicFile moved = *std::move(file);
    EXPECT_EQ(FilesInFolder(), 2u);
  }
  EXPECT_EQ(Content(), "old");
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(AtomicFileTest, SaysWhyItCannotBe) {
  EXPECT_FALSE(AtomicFile::Create(folder_ + "/", 0600).ok());
  EXPECT_FALSE(AtomicFile::Create(folder_ + "/none/file", 0600).ok());
}

}  // namespace
}  // namespace sluice::base
