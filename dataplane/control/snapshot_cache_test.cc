#include "dataplane/control/snapshot_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "dataplane/control/cache_writer.h"
#include "dataplane/control/testing.h"

namespace sluice::control {
namespace {

using ::testing::HasSubstr;
using testing::SnapshotWith;
using testing::TemporaryFolder;
using testing::VersionOf;

class SnapshotCacheTest : public ::testing::Test {
 protected:
  SnapshotCache Open() {
    auto cache = SnapshotCache::Open(state_);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *std::move(cache);
  }
  static void Store(SnapshotCache& cache, const std::string& body, uint64_t revision) {
    const auto resources = SnapshotWith(body);
    const absl::Status status = cache.Store(VersionOf(resources, revision), resources);
    ASSERT_TRUE(status.ok()) << status;
  }
  // Of what is loaded; 0 for nothing.
  static uint64_t LoadedRevision(SnapshotCache& cache, std::string* problem = nullptr) {
    std::string ignored;
    const auto entry = cache.Load(problem == nullptr ? &ignored : problem);
    return entry.has_value() ? entry->version.revision() : 0;
  }
  std::string ReadAll(const std::string& name) const {
    return base::ReadFile(state_ + "/" + name, 1 << 20).value();
  }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream file(state_ + "/" + name, std::ios::binary);  // No fsync: thousands are written.
    file << bytes;
    ASSERT_TRUE(file.flush().good());
  }

  TemporaryFolder folder_;
  const std::string state_ = folder_ / "a/state";
};

TEST_F(SnapshotCacheTest, WhatWasStoredOpenIsSealedAndStillRead) {
  const trust::Sealer sealer(std::string(trust::Sealer::kKeyBytes, 'k'));
  {
    SnapshotCache cache = Open();
    Store(cache, "one", 1);
    Store(cache, "two", 2);
    ASSERT_THAT(ReadAll("current.snapshot"), HasSubstr("two"));
    EXPECT_FALSE(cache.has_sealed());
  }
  SnapshotCache cache = Open();
  cache.SetSealer(sealer);
  EXPECT_EQ(LoadedRevision(cache), 2u);
  ASSERT_TRUE(cache.SealPresent().ok());
  EXPECT_TRUE(cache.has_sealed());
  EXPECT_EQ(ReadAll("current.snapshot").find("two"), std::string::npos);
  EXPECT_EQ(ReadAll("previous.snapshot").find("one"), std::string::npos);
  EXPECT_EQ(LoadedRevision(cache), 2u);
  Store(cache, "three", 3);
  EXPECT_EQ(ReadAll("current.snapshot").find("three"), std::string::npos);
  EXPECT_EQ(LoadedRevision(cache), 3u);
  EXPECT_TRUE(cache.seal_problem().ok());
  // A torn one is found out as before, and the one before is there.
  Write("current.snapshot", ReadAll("current.snapshot").substr(0, 100));
  EXPECT_EQ(LoadedRevision(cache), 2u);
}

TEST_F(SnapshotCacheTest, AnotherKeyIsAProblemOfItsOwn) {
  {
    SnapshotCache cache = Open();
    cache.SetSealer(trust::Sealer(std::string(trust::Sealer::kKeyBytes, 'k')));
    Store(cache, "one", 1);
  }
  SnapshotCache cache = Open();
  cache.SetSealer(trust::Sealer(std::string(trust::Sealer::kKeyBytes, 'x')));
  EXPECT_EQ(LoadedRevision(cache), 0u);
  EXPECT_THAT(std::string(cache.seal_problem().message()), HasSubstr("sealed with key"));
}

TEST_F(SnapshotCacheTest, GivesBackWhatWasStored) {
  const auto resources = SnapshotWith("one");
  {
    SnapshotCache cache = Open();
    ASSERT_TRUE(cache.Store(VersionOf(resources, 5), resources).ok());
  }
  SnapshotCache cache = Open();
  std::string problem;
  const auto entry = cache.Load(&problem);
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(problem, "");
  EXPECT_EQ(entry->version.SerializeAsString(), VersionOf(resources, 5).SerializeAsString());
  ASSERT_EQ(entry->resources.size(), resources.size());
  EXPECT_EQ(snapshot::RootOf(entry->resources), snapshot::RootOf(resources));
}

TEST_F(SnapshotCacheTest, EmptyFolderHasNothingAndNoProblem) {
  SnapshotCache cache = Open();
  std::string problem;
  EXPECT_EQ(LoadedRevision(cache, &problem), 0u);
  EXPECT_EQ(problem, "");
}

TEST_F(SnapshotCacheTest, FilesAndFolderAreTheOwnersAlone) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  struct stat info;
  ASSERT_EQ(stat(state_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const auto& file : std::filesystem::directory_iterator(state_)) {
    ASSERT_EQ(stat(file.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << file.path();
  }
}

TEST_F(SnapshotCacheTest, FileCutAtAnyByteIsNotBelieved) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  const std::string whole = ReadAll("current.snapshot");
  for (size_t size = 0; size < whole.size(); ++size) {
    Write("current.snapshot", whole.substr(0, size));
    std::string problem;
    ASSERT_EQ(LoadedRevision(cache, &problem), 1u) << "cut to " << size;
    ASSERT_THAT(problem, HasSubstr("current.snapshot"));
  }
  Write("current.snapshot", whole + "x");
  EXPECT_EQ(LoadedRevision(cache), 1u);
  Write("current.snapshot", whole);
  EXPECT_EQ(LoadedRevision(cache), 2u);
}

TEST_F(SnapshotCacheTest, AnyFlippedBitIsNoticed) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  const std::string whole = ReadAll("current.snapshot");
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    Write("current.snapshot", damaged);
    ASSERT_EQ(LoadedRevision(cache), 1u) << "bit " << bit;
  }
}

TEST_F(SnapshotCacheTest, BothDamagedIsNothingAndBothAreNamed) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  Write("current.snapshot", "torn");
  Write("previous.snapshot", std::string(5000, '\xff'));
  std::string problem;
  EXPECT_EQ(LoadedRevision(cache, &problem), 0u);
  EXPECT_THAT(problem, HasSubstr("current.snapshot"));
  EXPECT_THAT(problem, HasSubstr("previous.snapshot"));
}

TEST_F(SnapshotCacheTest, DamagedFileDoesNotPushOutTheWholeOne) {
  {
    SnapshotCache cache = Open();
    Store(cache, "one", 1);
    Store(cache, "two", 2);
  }
  Write("current.snapshot", "torn");
  SnapshotCache cache = Open();  // Without Load: Store finds out by itself.
  Store(cache, "three", 3);
  EXPECT_EQ(LoadedRevision(cache), 3u);
  Write("current.snapshot", "torn");
  EXPECT_EQ(LoadedRevision(cache), 1u);
}

TEST_F(SnapshotCacheTest, SameRootUnderNewNumberKeepsTheLastDifferentOne) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  Store(cache, "two", 3);
  EXPECT_EQ(LoadedRevision(cache), 3u);
  Write("current.snapshot", "torn");
  EXPECT_EQ(LoadedRevision(cache), 1u);
}

TEST_F(SnapshotCacheTest, AFullDiskLosesNothing) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  // The folder gone is as good as a disk that takes nothing.
  const std::string aside = folder_ / "aside";
  std::filesystem::rename(state_, aside);
  const auto resources = SnapshotWith("two");
  EXPECT_FALSE(cache.Store(VersionOf(resources, 2), resources).ok());
  std::filesystem::rename(aside, state_);
  EXPECT_EQ(LoadedRevision(cache), 1u);
  Store(cache, "three", 3);
  EXPECT_EQ(LoadedRevision(cache), 3u);
}

TEST_F(SnapshotCacheTest, SecondProxyOnTheFolderIsRefused) {
  const SnapshotCache cache = Open();
  const auto second = SnapshotCache::Open(state_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use by another sluice-proxy"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--state-dir"));
}

TEST_F(SnapshotCacheTest, LeftoversOfKilledWritesAreRemoved) {
  { Open(); }
  Write(".current.snapshot.0123456789abcdef.tmp", "secret");
  Write("next.snapshot", "secret");
  Write("notes.tmp", "not ours");
  Open();
  EXPECT_FALSE(std::filesystem::exists(state_ + "/.current.snapshot.0123456789abcdef.tmp"));
  EXPECT_FALSE(std::filesystem::exists(state_ + "/next.snapshot"));
  EXPECT_TRUE(std::filesystem::exists(state_ + "/notes.tmp"));
}

TEST_F(SnapshotCacheTest, KilledAtAnyMomentAWholeSnapshotIsLeft) {
  {
    SnapshotCache cache = Open();
    Store(cache, "body 0", 1);
  }
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto cache = SnapshotCache::Open(state_);
      for (uint64_t i = 0;; ++i) {
        const auto resources = SnapshotWith("body " + std::to_string(i));
        if (!cache->Store(VersionOf(resources, i + 2), resources).ok()) _exit(1);
        if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
      }
    }
    close(pipe_ends[1]);
    char byte;
    for (int i = 0; i <= round % 5; ++i) ASSERT_EQ(read(pipe_ends[0], &byte, 1), 1);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    close(pipe_ends[0]);
    SnapshotCache cache = Open();
    ASSERT_NE(LoadedRevision(cache), 0u) << "round " << round;
  }
}

TEST_F(SnapshotCacheTest, WriterKeepsTheNewestAndReportsErrors) {
  SnapshotCache cache = Open();
  {
    CacheWriter writer(cache);
    for (uint64_t i = 1; i <= 50; ++i) {
      const auto resources = SnapshotWith("body " + std::to_string(i));
      writer.Store(VersionOf(resources, i), resources);
    }
    writer.WaitUntilIdle();
    EXPECT_EQ(LoadedRevision(cache), 50u);
    EXPECT_TRUE(writer.TakeErrors().empty());

    std::filesystem::rename(state_, folder_ / "aside");
    const auto resources = SnapshotWith("lost");
    writer.Store(VersionOf(resources, 51), resources);
    writer.WaitUntilIdle();
    EXPECT_THAT(writer.TakeErrors(), ::testing::ElementsAre(HasSubstr("snapshot cache")));
    std::filesystem::rename(folder_ / "aside", state_);

    writer.Store(VersionOf(resources, 52), resources);
  }
  EXPECT_EQ(LoadedRevision(cache), 52u) << "the destructor writes what waits";
}

TEST_F(SnapshotCacheTest, FallsBackOnceAndStaysThere) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  const auto any = [](const SnapshotCache::Entry&) { return true; };
  EXPECT_FALSE(cache.FallBack([](const SnapshotCache::Entry&) { return false; }).has_value());
  EXPECT_EQ(LoadedRevision(cache), 2u);
  const auto before = cache.FallBack(any);
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(before->version.revision(), 1u);
  EXPECT_EQ(LoadedRevision(cache), 1u);
  EXPECT_FALSE(cache.FallBack(any).has_value()) << "there is nothing older";
  EXPECT_EQ(LoadedRevision(cache), 1u);
  Store(cache, "three", 3);
  EXPECT_EQ(LoadedRevision(cache), 3u);
  EXPECT_EQ(cache.FallBack(any)->version.revision(), 1u) << "not what was given up";
}

TEST_F(SnapshotCacheTest, DoesNotFallBackToWhatIsDamaged) {
  SnapshotCache cache = Open();
  Store(cache, "one", 1);
  Store(cache, "two", 2);
  Write("previous.snapshot", "rubbish");
  EXPECT_FALSE(cache.FallBack([](const SnapshotCache::Entry&) { return true; }).has_value());
  EXPECT_EQ(LoadedRevision(cache), 2u);
}

}  // namespace
}  // namespace sluice::control
