#include "dataplane/upstream/warm_up.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <limits>

namespace sluice::upstream {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

class WarmUpTest : public testing::Test {
 protected:
  void Begin(int64_t until_micros) {
    warm_up_.Begin({{.health = first_, .until_micros = until_micros},
                    {.health = second_, .until_micros = until_micros}},
                   [this] { ++warm_; });
  }

  const std::shared_ptr<EndpointHealth> first_ = std::make_shared<EndpointHealth>(false);
  const std::shared_ptr<EndpointHealth> second_ = std::make_shared<EndpointHealth>(false);
  boost::asio::io_context context_;
  WarmUp warm_up_{context_};
  int warm_ = 0;
};

TEST_F(WarmUpTest, WaitsForAllOrTheirTime) {
  const std::vector<WarmUp::Awaited> awaited{{.health = first_, .until_micros = 1000},
                                             {.health = second_, .until_micros = 2000}};
  EXPECT_TRUE(WarmUp::IsWaiting(awaited, 1999));
  EXPECT_FALSE(WarmUp::IsWaiting(awaited, 2000));
  second_->NoteChecked();
  EXPECT_TRUE(WarmUp::IsWaiting(awaited, 999));
  EXPECT_FALSE(WarmUp::IsWaiting(awaited, 1000));
  first_->NoteChecked();
  EXPECT_FALSE(WarmUp::IsWaiting(awaited, 0));
}

TEST_F(WarmUpTest, NobodyToWaitForIsWarmAtOnce) {
  first_->NoteChecked();
  second_->NoteChecked();
  Begin(kForever);
  EXPECT_EQ(warm_, 1);
  EXPECT_EQ(first_.use_count(), 1);
  EXPECT_EQ(context_.run(), 0u);
}

TEST_F(WarmUpTest, TheLastAnswerEndsIt) {
  Begin(kForever);
  first_->NoteChecked();
  boost::asio::post(context_, [this] {
    EXPECT_EQ(warm_, 0);
    second_->NoteChecked();
  });
  context_.run();
  EXPECT_EQ(warm_, 1);
}

TEST_F(WarmUpTest, WhatIsCancelledNeverComes) {
  Begin(kForever);
  warm_up_.Cancel();
  EXPECT_EQ(first_.use_count(), 1);
  second_->NoteChecked();
  first_->NoteChecked();
  context_.run();
  EXPECT_EQ(warm_, 0);
}

TEST_F(WarmUpTest, TheNewerWaitTakesTheOldersPlace) {
  Begin(kForever);
  int newer = 0;
  warm_up_.Begin({}, [&newer] { ++newer; });
  first_->NoteChecked();
  second_->NoteChecked();
  context_.run();
  EXPECT_EQ(newer, 1);
  EXPECT_EQ(warm_, 0);
}

}  // namespace
}  // namespace sluice::upstream
