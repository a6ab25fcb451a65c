#include "dataplane/grpc/status_message.h"

#include <gtest/gtest.h>

#include <string>

#include "dataplane/http/failure.h"

namespace sluice::grpc {
namespace {

std::string Encoded(std::string_view text) {
  std::string out(text.size() * kMessageBytesMax, '\0');
  out.resize(EncodeMessage(text, out.data()));
  return out;
}

TEST(StatusMessageTest, EncodesWhatCannotStandInAField) {
  EXPECT_EQ(Encoded(""), "");
  EXPECT_EQ(Encoded(" !~plain: text,\"#"), " !~plain: text,\"#");
  EXPECT_EQ(Encoded("100%"), "100%25");
  EXPECT_EQ(Encoded("a\r\nb\tc\x7f"), "a%0D%0Ab%09c%7F");
  EXPECT_EQ(Encoded(std::string_view("\0", 1)), "%00");
  EXPECT_EQ(Encoded("\xf0\x9f\x98\x88"), "%F0%9F%98%88");
}

TEST(StatusMessageTest, OurOwnMessagesStayAsTheyAre) {
  for (int i = 0; i < static_cast<int>(http::Failure::kCount); ++i) {
    const std::string_view text = http::TraitsOf(static_cast<http::Failure>(i)).text;
    EXPECT_EQ(Encoded(text), text);
  }
}

}  // namespace
}  // namespace sluice::grpc
