#include "dataplane/h2/response_head.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sluice::h2 {
namespace {

using http::Framing;
using Fields = std::vector<std::pair<std::string, std::string>>;

class ResponseHeadTest : public ::testing::Test {
 protected:
  bool Read(const Fields& fields, http::Method method = http::Method::kGet, bool end = false) {
    block_.Clear();
    for (const auto& [name, value] : fields) block_.Add(name, value);
    return ReadResponseHead(block_, method, end, &head_);
  }

  FieldBlock block_;
  http::ResponseHead head_;
};

TEST_F(ResponseHeadTest, FieldsAreIdentified) {
  ASSERT_TRUE(Read({{":status", "200"}, {"server", "x"}, {"grpc-status", "0"}}));
  EXPECT_EQ(head_.status, 200);
  ASSERT_EQ(head_.fields.size(), 2u);
  EXPECT_EQ(head_.fields[0].id, http::FieldId::kServer);
  EXPECT_EQ(head_.fields[1].name, "grpc-status");
}

TEST_F(ResponseHeadTest, TheLengthIsKnownOrTheEndIsMarked) {
  ASSERT_TRUE(Read({{":status", "200"}, {"content-length", "12"}}));
  EXPECT_EQ(head_.framing, Framing::kLength);
  EXPECT_EQ(head_.content_length, 12u);
  ASSERT_TRUE(Read({{":status", "200"}}));
  EXPECT_EQ(head_.framing, Framing::kChunked);
}

TEST_F(ResponseHeadTest, AnEndAtOnceIsAnEmptyBody) {
  ASSERT_TRUE(Read({{":status", "404"}}, http::Method::kGet, true));
  EXPECT_EQ(head_.framing, Framing::kLength);
  EXPECT_EQ(head_.content_length, 0u);
}

TEST_F(ResponseHeadTest, SomeResponsesHaveNoBody) {
  ASSERT_TRUE(Read({{":status", "200"}, {"content-length", "5"}}, http::Method::kHead, true));
  EXPECT_EQ(head_.framing, Framing::kNone);
  EXPECT_EQ(head_.content_length, 5u);
  for (const char* status : {"103", "204", "304"}) {
    ASSERT_TRUE(Read({{":status", status}})) << status;
    EXPECT_EQ(head_.framing, Framing::kNone) << status;
  }
}

TEST_F(ResponseHeadTest, WhatIsLeftOfTheLastHeadIsGone) {
  ASSERT_TRUE(Read({{":status", "200"}, {"content-length", "12"}, {"server", "x"}}));
  ASSERT_TRUE(Read({{":status", "204"}}));
  EXPECT_TRUE(head_.fields.empty());
  EXPECT_EQ(head_.content_length, 0u);
}

TEST_F(ResponseHeadTest, MalformedHeads) {
  EXPECT_FALSE(Read({{"server", "x"}}));
  EXPECT_FALSE(Read({{":status", "20"}}));
  EXPECT_FALSE(Read({{":status", "2000"}}));
  EXPECT_FALSE(Read({{":status", "099"}}));
  EXPECT_FALSE(Read({{":status", "20x"}}));
  EXPECT_FALSE(Read({{":status", "200"}, {"content-length", "1"}, {"content-length", "2"}}));
  EXPECT_FALSE(Read({{":status", "200"}, {"transfer-encoding", "chunked"}}));
}

}  // namespace
}  // namespace sluice::h2
