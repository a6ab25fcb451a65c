#include "controlplane/apply/watched_source.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "controlplane/apply/testing_setup.h"

namespace sluice::apply {
namespace {

using testing::ControllerSetup;
using ::testing::HasSubstr;
using testing::Yaml;

class WatchedSourceTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) {
    std::ofstream(path_ + ".tmp") << text;
    std::filesystem::rename(path_ + ".tmp", path_);
  }
  void Watch() {
    auto started = WatchedSource::Start(setup_.controller(), path_);
    ASSERT_TRUE(started.ok()) << started.status();
    source_ = *std::move(started);
  }
  v1::SourceStatus Status() { return setup_.controller().Status("").source(); }
  bool WaitForRevision(uint64_t revision) {
    return setup_.WaitFor([&] {
      return setup_.controller().Status("").version().revision() == revision && Status().ok();
    });
  }
  bool WaitForProblem() {
    return setup_.WaitFor([&] { return !Status().path().empty() && !Status().ok(); });
  }

  ControllerSetup setup_;
  store::testing::Folder folder_;
  const std::string path_ = folder_ / "sluice.yaml";
  std::unique_ptr<WatchedSource> source_;
};

TEST_F(WatchedSourceTest, MakesVersionsLikeThoseOfTheApi) {
  Write(Yaml("one"));
  Watch();
  ASSERT_TRUE(WaitForRevision(1));
  const auto version = setup_.store().Current();
  EXPECT_EQ(version->author, "file");
  EXPECT_EQ(version->message, path_);
  EXPECT_EQ(version->source, "file");
  Write(Yaml("two"));
  EXPECT_TRUE(WaitForRevision(2));
}

TEST_F(WatchedSourceTest, WhatCannotBeAppliedShowsAndTheLastGoodStays) {
  Write(Yaml("one"));
  Watch();
  ASSERT_TRUE(WaitForRevision(1));
  Write("services: [{nam: 'x'}]");
  ASSERT_TRUE(WaitForProblem());
  EXPECT_GT(Status().problems(0).line(), 0u);
  EXPECT_EQ(Status().problems(0).file(), path_);
  EXPECT_EQ(setup_.store().Current()->version.revision(), 1u);
  EXPECT_EQ(setup_.controller().counters().source_errors, 1u);
  EXPECT_EQ(setup_.controller().counters().invalid, 1u) << "the first of two looks is no event";
  Write(Yaml("one"));
  EXPECT_TRUE(setup_.WaitFor([&] { return Status().ok(); }));
  EXPECT_EQ(*setup_.store().CountVersions(), 1);
}

TEST_F(WatchedSourceTest, AVanishedFileShowsAndTheLastGoodStays) {
  Write(Yaml("one"));
  Watch();
  ASSERT_TRUE(WaitForRevision(1));
  std::filesystem::remove(path_);
  ASSERT_TRUE(WaitForProblem());
  EXPECT_THAT(Status().problems(0).message(), HasSubstr("No such file"));
  EXPECT_EQ(setup_.store().Current()->version.revision(), 1u);
}

TEST_F(WatchedSourceTest, ANodesRefusalShowsWithItsLine) {
  Write(Yaml("one"));
  const auto bad = setup_.Connect({.refuse = [](const v1::Prepare&) { return "port taken"; }});
  Watch();
  ASSERT_TRUE(WaitForProblem());
  ASSERT_EQ(Status().problems_size(), 2);
  EXPECT_EQ(Status().problems(1).file(), path_ + ":3:19");
  EXPECT_THAT(Status().problems(1).message(), HasSubstr("port taken"));
}

}  // namespace
}  // namespace sluice::apply
