#include "dataplane/control/crash_guard.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "dataplane/control/activator.h"
#include "dataplane/control/testing.h"

namespace sluice::control {
namespace {

using ::testing::ElementsAre;
using testing::FakeDataplane;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SnapshotWith;
using testing::TemporaryFolder;
using testing::VersionOf;
using Start = CrashGuard::Start;

constexpr std::chrono::hours kLong{1};

v1::Version Version(uint64_t revision, const std::string& root) {
  v1::Version version;
  version.set_revision(revision);
  version.set_root(root);
  return version;
}
const v1::Version kOld = Version(41, "old");
const v1::Version kNew = Version(42, "new");

// One process after the other, each on the same directory.
class CrashGuardTest : public ::testing::Test {
 protected:
  CrashGuard& Begin(std::chrono::milliseconds probation = kLong, Start start = Start::kOrdinary,
                    std::string_view build = "1") {
    guard_ = std::make_unique<CrashGuard>(context_, probation);
    guard_->Open(folder_.path(), build, start);
    return *guard_;
  }
  // As a process does that is killed: it says nothing more.
  void Die() {
    guard_->HandOver();
    guard_.reset();
  }
  void Serve(const v1::Version& version) {
    guard_->BeginPrepare(version);
    guard_->EndPrepare();
    guard_->BeginServing(version);
  }
  std::vector<std::string> Refused() {
    std::vector<std::string> roots;
    for (const v1::Rejected& refused : guard_->Refused()) roots.push_back(refused.root());
    return roots;
  }
  // The process begins with this one, from its disk.
  void ResumeAndServe(const v1::Version& version) {
    guard_->Resume(version);
    Serve(version);
  }

  boost::asio::io_context context_;
  const TemporaryFolder folder_;
  std::unique_ptr<CrashGuard> guard_;
};

TEST_F(CrashGuardTest, TwoDeathsUnderANewVersionAndItIsRefused) {
  Begin();
  Serve(kNew);
  Die();
  Begin();
  EXPECT_THAT(Refused(), IsEmpty()) << "one may be an accident";
  ResumeAndServe(kNew);
  Die();
  CrashGuard& guard = Begin();
  EXPECT_THAT(Refused(), ElementsAre("new"));
  EXPECT_TRUE(guard.Refuses("new"));
  EXPECT_FALSE(guard.Refuses("old"));
  EXPECT_THAT(guard.Refused().front().errors(0).message(), HasSubstr("died 2 times"));
  ResumeAndServe(kOld);
  Die();
  Begin();
  EXPECT_THAT(Refused(), ElementsAre("new")) << "and nothing else";
}

TEST_F(CrashGuardTest, DeathsCountAlsoWhenTheVersionWasNotOnDiskYet) {
  for (int i = 0; i < 2; ++i) {
    Begin();
    ResumeAndServe(kOld);
    Serve(kNew);  // The controller offers it again.
    Die();
  }
  Begin();
  EXPECT_THAT(Refused(), ElementsAre("new"));
}

TEST_F(CrashGuardTest, DeathsWhilePreparingCount) {
  for (int i = 0; i < 2; ++i) {
    Begin();
    ResumeAndServe(kOld);
    guard_->BeginPrepare(kNew);
    Die();
  }
  Begin();
  EXPECT_THAT(Refused(), ElementsAre("new"));
}

TEST_F(CrashGuardTest, WhatWasServedForLongEnoughIsNotToBlame) {
  Begin(std::chrono::milliseconds(0));
  Serve(kNew);
  context_.run();
  Die();
  for (int i = 0; i < 3; ++i) {
    Begin();
    ResumeAndServe(kNew);
    Die();
  }
  Begin();
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(CrashGuardTest, ALongLifeMakesAnEarlierDeathForgotten) {
  Begin();
  Serve(kNew);
  Die();
  Begin(std::chrono::milliseconds(0));
  ResumeAndServe(kNew);
  context_.run();
  Die();
  Begin();
  ResumeAndServe(kNew);
  Die();
  Begin();
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(CrashGuardTest, ACleanEndIsHeldAgainstNobodyAndDoesNotEndTheProbation) {
  Begin();
  Serve(kNew);
  for (int i = 0; i < 3; ++i) {
    guard_->EndCleanly();
    Begin();
    EXPECT_THAT(Refused(), IsEmpty());
    ResumeAndServe(kNew);
  }
  Die();
  Begin();
  ResumeAndServe(kNew);
  Die();
  Begin();
  EXPECT_THAT(Refused(), ElementsAre("new"));
}

TEST_F(CrashGuardTest, DyingLongAfterGoingBackIsNotCountedAgainstTheNewOne) {
  Begin();
  Serve(kNew);
  Die();
  Begin();
  ResumeAndServe(kOld);  // The new one had not reached the disk.
  Die();
  Begin();
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(CrashGuardTest, AnotherBuildTriesAgain) {
  for (int i = 0; i < 2; ++i) {
    Begin();
    Serve(kNew);
    Die();
  }
  Begin(kLong, Start::kOrdinary, "2");
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(CrashGuardTest, AHandoverIsNoDeathAndTheProbationGoesOn) {
  Begin();
  Serve(kNew);
  guard_->HandOver();
  for (int i = 0; i < 3; ++i) {
    Begin(kLong, Start::kTakeover);
    EXPECT_THAT(Refused(), IsEmpty());
    if (i < 2) guard_->HandOver();
  }
  Die();
  Begin();
  ResumeAndServe(kNew);
  Die();
  Begin();
  EXPECT_THAT(Refused(), ElementsAre("new"));
}

TEST_F(CrashGuardTest, APardonedVersionBeginsAnew) {
  for (int i = 0; i < 2; ++i) {
    Begin();
    Serve(kNew);
    Die();
  }
  Begin().Pardon();
  EXPECT_THAT(Refused(), IsEmpty());
  ResumeAndServe(kNew);
  Die();
  Begin();
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(CrashGuardTest, ADamagedNoteCountsForNothing) {
  for (int i = 0; i < 2; ++i) {
    Begin();
    Serve(kNew);
    Die();
  }
  const std::string path = folder_ / CrashGuard::kFileName;
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 077, 0u);
  ASSERT_EQ(truncate(path.c_str(), info.st_size / 2), 0);
  Begin();
  EXPECT_THAT(Refused(), IsEmpty());
}

TEST_F(CrashGuardTest, OnlySoManyAreRemembered) {
  for (int i = 0; i < 20; ++i) {
    for (int deaths = 0; deaths < 2; ++deaths) {
      Begin();
      Serve(Version(static_cast<uint64_t>(i), std::to_string(i)));
      Die();
    }
  }
  Begin();
  EXPECT_EQ(Refused().size(), static_cast<size_t>(CrashGuard::kSuspectsMax));
  EXPECT_TRUE(guard_->Refuses("19"));
}

TEST_F(CrashGuardTest, TheActivatorTellsItOfEveryVersion) {
  FakeDataplane dataplane;
  const auto resources = SnapshotWith("a");
  const v1::Version version = VersionOf(resources, 1);
  for (int i = 0; i < 2; ++i) {
    Begin();
    Activator activator(dataplane, nullptr, nullptr, {.crash_guard = guard_.get()});
    ASSERT_THAT(activator.Prepare(resources, version), IsEmpty());
    ASSERT_TRUE(activator.Commit(version, [] {}));
    guard_->HandOver();
  }
  Begin();
  EXPECT_THAT(Refused(), ElementsAre(version.root()));
}

TEST_F(CrashGuardTest, DeathsDuringAPreflightCountUntilItIsOver) {
  FakeDataplane dataplane;
  const auto resources = SnapshotWith("a"), others = SnapshotWith("b");
  const v1::Version version = VersionOf(resources, 1), other = VersionOf(others, 2);
  for (int i = 0; i < 2; ++i) {
    Begin();
    Activator activator(dataplane, nullptr, nullptr, {.crash_guard = guard_.get()});
    ASSERT_THAT(activator.Prepare(others, other), IsEmpty());
    activator.BeginPreflight(100);
    activator.Discard();
    ASSERT_THAT(activator.Prepare(resources, version), IsEmpty());
    activator.BeginPreflight(100);
    guard_->HandOver();
  }
  Begin();
  EXPECT_THAT(Refused(), ElementsAre(version.root()));
}

}  // namespace
}  // namespace sluice::control
