#include "common/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace sluice::base {
namespace {

class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string pattern = testing::TempDir() + "file_test.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  size_t FilesInFolder() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::string folder_;
};

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesOnceAndKeepsErrno) {
  const int raw = open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd first(raw);
    UniqueFd second = std::move(first);
    EXPECT_FALSE(first.valid());
    EXPECT_EQ(second.get(), raw);
    errno = ENOENT;
  }
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFdTest, AssignmentClosesWhatItHeld) {
  const int old_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int new_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  UniqueFd fd(old_fd);
  fd = UniqueFd(new_fd);
  EXPECT_FALSE(IsOpen(old_fd));
  EXPECT_EQ(fd.get(), new_fd);
  EXPECT_EQ(fd.Release(), new_fd);
  EXPECT_TRUE(IsOpen(new_fd));
  close(new_fd);
}

TEST_F(FileTest, WrittenBytesAreReadBack) {
  const std::string bytes("a\0b\n", 4);
  ASSERT_TRUE(WriteFileAtomically(Path("x"), bytes, 0600).ok());
  const auto content = ReadFile(Path("x"), 4);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(*content, bytes);
}

TEST_F(FileTest, ModeDoesNotDependOnTheUmask) {
  const mode_t old_mask = umask(0777);
  const absl::Status status = WriteFileAtomically(Path("x"), "x", 0644);
  umask(old_mask);
  ASSERT_TRUE(status.ok()) << status;
  struct stat info;
  ASSERT_EQ(stat(Path("x").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

TEST_F(FileTest, ReplacesAndLeavesNoTemporaryFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "old", 0600).ok());
  ASSERT_TRUE(WriteFileAtomically(Path("x"), "new", 0600).ok());
  EXPECT_EQ(*ReadFile(Path("x"), 100), "new");
  EXPECT_EQ(FilesInFolder(), 1u);
}

TEST_F(FileTest, FailedReplacementLeavesNothingBehind) {
  ASSERT_TRUE(MakeDirectory(Path("x"), 0700).ok());
  ASSERT_TRUE(WriteFileAtomically(Path("x") + "/inside", "keep", 0600).ok());
  EXPECT_FALSE(WriteFileAtomically(Path("x"), "new", 0600).ok());  // A folder is in the way.
  EXPECT_EQ(FilesInFolder(), 1u);
  EXPECT_FALSE(WriteFileAtomically(Path("no/such/x"), "new", 0600).ok());
  EXPECT_FALSE(WriteFileAtomically(folder_ + "/", "new", 0600).ok());
}

TEST_F(FileTest, ReadRefusesWhatIsTooLarge) {
  ASSERT_TRUE(WriteFileAtomically(Path("x"), std::string(5000, 'x'), 0600).ok());
  EXPECT_EQ(ReadFile(Path("x"), 4999).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile(Path("x"), 5000)->size(), 5000u);
}

TEST_F(FileTest, ReadRefusesWhatIsNoRegularFileWithoutWaiting) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Path("fifo"), 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(folder_, 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ReadFile("/dev/zero", 10).ok());
}

TEST_F(FileTest, ReadsKernelFilesThatReportNoSize) {
  const auto status = ReadFile("/proc/self/status", 1 << 20);
  ASSERT_TRUE(status.ok());
  EXPECT_NE(status->find("Pid:"), std::string::npos);
}

TEST_F(FileTest, ErrorsNameThePathAndTheReason) {
  const absl::Status status = ReadFile(Path("missing"), 10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("missing: No such file"), std::string::npos)
      << status;
}

TEST_F(FileTest, MakeDirectoryAcceptsAnExistingFolderOnly) {
  EXPECT_TRUE(MakeDirectory(Path("d"), 0700).ok());
  EXPECT_TRUE(MakeDirectory(Path("d"), 0700).ok());
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "", 0600).ok());
  EXPECT_EQ(MakeDirectory(Path("f"), 0700).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(MakeDirectory(Path("a/b"), 0700).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sluice::base
