#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/store/testing_folder.h"
#include "controlplane/store/testing_schema.h"
#include "controlplane/store/testing_versions.h"
#include "controlplane/store/version_store.h"

namespace sluice::store {
namespace {

using testing::Folder;

std::unique_ptr<VersionStore> Open(const std::string& path) {
  auto store = VersionStore::Open(path);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

uint64_t Add(VersionStore& store) {
  StoredVersion version;
  const snapshot::Resources none;
  version.version.set_root(snapshot::RootOf(none));
  EXPECT_TRUE(store.Add(&version, none, {}).ok());
  return version.version.revision();
}

v1::Rollout RolloutOf(uint64_t revision, v1::Rollout::State state) {
  v1::Rollout rollout;
  rollout.mutable_version()->set_revision(revision);
  rollout.set_state(state);
  rollout.set_reason("because");
  return rollout;
}

TEST(RolloutRecordsTest, ARolloutUnderWayIsThereInTheNextLife) {
  Folder folder;
  auto store = Open(folder.path());
  const uint64_t revision = Add(*store);
  ASSERT_TRUE(
      store->SaveRollout(RolloutOf(revision, v1::Rollout::BAKING), VersionState::kRolling).ok());
  store.reset();
  store = Open(folder.path());
  EXPECT_EQ(store->LatestRollout()->state(), v1::Rollout::BAKING);
  // What was only pending never became anything; this did.
  EXPECT_EQ(store->Get(revision)->state, VersionState::kRolling);
}

TEST(RolloutRecordsTest, ACompletedOneMakesItsVersionTheCurrentOne) {
  Folder folder;
  const auto store = Open(folder.path());
  const uint64_t before = Add(*store);
  ASSERT_TRUE(store->SetState(before, VersionState::kCurrent).ok());
  const uint64_t revision = Add(*store);
  ASSERT_TRUE(
      store->SaveRollout(RolloutOf(revision, v1::Rollout::COMPLETED), VersionState::kCurrent).ok());
  EXPECT_EQ(store->Current()->version.revision(), revision);
  EXPECT_EQ(store->Get(before)->state, VersionState::kSuperseded);
}

TEST(RolloutRecordsTest, TheNewestIsTheLatest) {
  Folder folder;
  const auto store = Open(folder.path());
  EXPECT_TRUE(absl::IsNotFound(store->LatestRollout().status()));
  const uint64_t first = Add(*store), second = Add(*store);
  ASSERT_TRUE(
      store->SaveRollout(RolloutOf(second, v1::Rollout::FAILED), VersionState::kTakenBack).ok());
  ASSERT_TRUE(
      store->SaveRollout(RolloutOf(first, v1::Rollout::SUPERSEDED), VersionState::kTakenBack).ok());
  EXPECT_EQ(store->LatestRollout()->version().revision(), second);
  EXPECT_EQ(store->GetRollout(first)->state(), v1::Rollout::SUPERSEDED);
  EXPECT_TRUE(absl::IsNotFound(store->GetRollout(99).status()));
}

TEST(RolloutRecordsTest, WhatFailedIsKnownUntilItIsCleared) {
  Folder folder;
  auto store = Open(folder.path());
  EXPECT_EQ(*store->WhyBad("root"), "");
  ASSERT_TRUE(store->MarkBad("root", "5xx").ok());
  ASSERT_TRUE(store->MarkBad("root", "p99").ok());
  store.reset();
  store = Open(folder.path());
  EXPECT_EQ(*store->WhyBad("root"), "p99");
  EXPECT_EQ(*store->WhyBad("other"), "");
  ASSERT_TRUE(store->ClearBad("root").ok());
  EXPECT_EQ(*store->WhyBad("root"), "");
}

TEST(RolloutRecordsTest, AStoreOfSchemaTwoLearnsOfRollouts) {
  Folder folder;
  Open(folder.path()).reset();
  {
    auto database = Database::Open(folder / "sluice.db");
    ASSERT_TRUE(testing::BackTo(*database, 2).ok());
  }
  const auto store = Open(folder.path());
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(absl::IsNotFound(store->LatestRollout().status()));
  EXPECT_TRUE(store->MarkBad("root", "why").ok());
}

}  // namespace
}  // namespace sluice::store
