#include "dataplane/h2/skipped_streams.h"

#include <gtest/gtest.h>

namespace sluice::h2 {
namespace {

TEST(SkippedStreamsTest, OneAfterTheOtherSkipsNone) {
  SkippedStreams streams;
  for (int32_t id = 1; id < 1000; id += 2) EXPECT_TRUE(streams.Take(id));
  // Trailers of one that is open, or was.
  for (int32_t id = 1; id < 1000; id += 2) EXPECT_TRUE(streams.Take(id));
}

TEST(SkippedStreamsTest, WhatWasPassedOverStaysClosed) {
  SkippedStreams streams;
  EXPECT_TRUE(streams.Take(5));
  EXPECT_FALSE(streams.Take(1));
  EXPECT_FALSE(streams.Take(3));
  EXPECT_TRUE(streams.Take(5));
  EXPECT_TRUE(streams.Take(7));
  EXPECT_TRUE(streams.Take(11));
  EXPECT_FALSE(streams.Take(9));
  EXPECT_TRUE(streams.Take(7));
}

TEST(SkippedStreamsTest, ManyGapsForgetTheOldest) {
  SkippedStreams streams;
  for (int32_t id = 5; id < 400; id += 4) EXPECT_TRUE(streams.Take(id));
  EXPECT_TRUE(streams.Take(3));
  EXPECT_FALSE(streams.Take(395));
}

}  // namespace
}  // namespace sluice::h2
