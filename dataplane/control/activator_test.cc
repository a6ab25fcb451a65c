#include "dataplane/control/activator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/log.h"
#include "common/web/testing_client.h"
#include "dataplane/control/testing.h"

namespace sluice::control {
namespace {

using snapshot::Resources;
using testing::FakeDataplane;
using ::testing::HasSubstr;
using testing::SnapshotWith;
using testing::VersionOf;

class ActivatorTest : public ::testing::Test {
 protected:
  ~ActivatorTest() override { EXPECT_TRUE(base::SetLogLevel("info").ok()); }

  static bool Activate(Activator& activator, const Resources& resources, uint64_t revision) {
    const v1::Version version = VersionOf(resources, revision);
    if (!activator.Prepare(resources, version).empty()) return false;
    return activator.Commit(version, [] {});
  }

  FakeDataplane dataplane_;
  testing::TemporaryFolder folder_;
};

TEST_F(ActivatorTest, WhatIsEffectiveIsOnDiskAndStartsTheNextProcess) {
  auto cache = SnapshotCache::Open(folder_.path());
  ASSERT_TRUE(cache.ok());
  {
    Activator activator(dataplane_, nullptr, &*cache);
    ASSERT_TRUE(Activate(activator, SnapshotWith("one"), 1));
    ASSERT_TRUE(Activate(activator, SnapshotWith("two"), 2));
  }
  std::string problem;
  const auto entry = cache->Load(&problem);
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->version.revision(), 2u);
  FakeDataplane next;
  Activator activator(next, nullptr, &*cache);
  EXPECT_TRUE(activator.Prepare(entry->resources, entry->version).empty());
  EXPECT_TRUE(activator.Commit(entry->version, [] {}));
  EXPECT_EQ(next.current.route_tables.at(0).routes(0).respond().body(), "two");
}

TEST_F(ActivatorTest, NothingIsStoredBeforeItIsEffective) {
  auto cache = SnapshotCache::Open(folder_.path());
  ASSERT_TRUE(cache.ok());
  dataplane_.effective_at_once = false;
  Activator activator(dataplane_, nullptr, &*cache);
  ASSERT_TRUE(Activate(activator, SnapshotWith("one"), 1));
  activator.WaitUntilStored();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "current.snapshot"));
  dataplane_.BecomeEffective();
  activator.WaitUntilStored();
  EXPECT_TRUE(std::filesystem::exists(folder_ / "current.snapshot"));
}

TEST_F(ActivatorTest, CacheThatCannotBeWrittenIsAnErrorNotAnOutage) {
  auto cache = SnapshotCache::Open(folder_ / "state");
  ASSERT_TRUE(cache.ok());
  Activator activator(dataplane_, nullptr, &*cache);
  std::filesystem::remove_all(folder_ / "state");
  ASSERT_TRUE(Activate(activator, SnapshotWith("one"), 1));
  activator.WaitUntilStored();
  ASSERT_EQ(activator.last_errors().size(), 1u);
  EXPECT_THAT(activator.last_errors().front(), HasSubstr("snapshot cache"));
  EXPECT_TRUE(activator.has_active());
}

TEST_F(ActivatorTest, CommitOfAnotherRootThanPreparedIsRefused) {
  Activator activator(dataplane_, nullptr, nullptr);
  const Resources one = SnapshotWith("one"), two = SnapshotWith("two");
  ASSERT_TRUE(activator.Prepare(one, VersionOf(one, 1)).empty());
  EXPECT_FALSE(activator.Commit(VersionOf(two, 2), [] { FAIL(); }));
  EXPECT_FALSE(activator.Commit(v1::Version(), [] { FAIL(); }));
  EXPECT_FALSE(activator.has_active());
}

TEST_F(ActivatorTest, EffectOfTheNewestAnswersForTheOneBefore) {
  dataplane_.effective_at_once = false;
  Activator activator(dataplane_, nullptr, nullptr);
  std::vector<int> effective;
  for (int revision : {1, 2}) {
    const Resources resources = SnapshotWith(std::to_string(revision));
    ASSERT_TRUE(activator.Prepare(resources, VersionOf(resources, revision)).empty());
    ASSERT_TRUE(activator.Commit(VersionOf(resources, revision),
                                 [&effective, revision] { effective.push_back(revision); }));
  }
  dataplane_.waiting.front()();
  EXPECT_TRUE(effective.empty());
  dataplane_.waiting.back()();
  EXPECT_EQ(effective, (std::vector<int>{1, 2}));
}

TEST_F(ActivatorTest, RefusedAdminAddressTakesBackWhatTheDataplanePrepared) {
  web::testing::ControlThread control;
  auto taken = base::ResolveNumeric("127.0.0.1:0").value();
  const base::UniqueFd holder(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(holder.get(), taken.get(), taken.length), 0);
  ASSERT_EQ(listen(holder.get(), 1), 0);
  ASSERT_EQ(getsockname(holder.get(), taken.get(), &taken.length), 0);
  control.On([&] {
    const web::HttpHandler nothing = [](const web::HttpRequest&) { return web::HttpResponse{}; };
    admin::AdminServer server(control.context(), {}, nothing, nothing);
    Activator activator(dataplane_, &server, nullptr);
    v1::Settings settings;
    settings.mutable_admin()->set_enabled(true);
    settings.mutable_admin()->set_address(taken.ToString());
    const Resources resources = SnapshotWith("one", settings);
    const auto errors = activator.Prepare(resources, VersionOf(resources, 1));
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].field(), "admin.address");
    EXPECT_EQ(dataplane_.prepared_revision, 0u);
    EXPECT_FALSE(activator.Commit(VersionOf(resources, 1), [] { FAIL(); }));
  });
}

TEST_F(ActivatorTest, KeepsTheLastErrorsAndCutsThemBetweenCharacters) {
  Activator activator(dataplane_, nullptr, nullptr);
  for (int i = 0; i < 40; ++i) activator.NoteError("error " + std::to_string(i));
  EXPECT_EQ(activator.last_errors().size(), Activator::kErrorsKept);
  EXPECT_EQ(activator.last_errors().front(), "error 24");
  std::string wide = "x";
  while (wide.size() < 2 * Activator::kErrorBytesMax) wide += "\xc3\xa9";
  activator.NoteError(wide);
  EXPECT_EQ(activator.last_errors().back().size(), Activator::kErrorBytesMax - 1);
}

TEST_F(ActivatorTest, LogLevelFollowsTheSettingsWhenTheyChange) {
  Activator activator(dataplane_, nullptr, nullptr);
  v1::Settings settings;
  settings.set_log_level("warn");
  ASSERT_TRUE(Activate(activator, SnapshotWith("one", settings), 1));
  EXPECT_EQ(base::CurrentLogLevel(), "warn");
  ASSERT_TRUE(base::SetLogLevel("debug").ok());  // By an operator's hand.
  ASSERT_TRUE(Activate(activator, SnapshotWith("two", settings), 2));
  EXPECT_EQ(base::CurrentLogLevel(), "debug") << "a change of something else leaves it alone";
  settings.set_log_level("error");
  ASSERT_TRUE(Activate(activator, SnapshotWith("two", settings), 3));
  EXPECT_EQ(base::CurrentLogLevel(), "error");
}

TEST_F(ActivatorTest, LogLevelOfTheCommandLineWins) {
  ASSERT_TRUE(base::SetLogLevel("info").ok());
  Activator activator(dataplane_, nullptr, nullptr, {.keep_log_level = true});
  v1::Settings settings;
  settings.set_log_level("error");
  ASSERT_TRUE(Activate(activator, SnapshotWith("one", settings), 1));
  EXPECT_EQ(base::CurrentLogLevel(), "info");
}

}  // namespace
}  // namespace sluice::control
