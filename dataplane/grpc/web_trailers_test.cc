#include "dataplane/grpc/web_trailers.h"

#include <gtest/gtest.h>

namespace sluice::grpc {
namespace {

using namespace std::string_literals;

TEST(WebTrailersTest, LinesWithNamesInLowerCase) {
  std::string frame = "before";
  WriteTrailerFrame({{"grpc-status", "0"}, {"Grpc-Message", "All: WELL"}, {"x-empty", ""}}, &frame);
  EXPECT_EQ(frame,
            "\x80\0\0\0\x34"
            "grpc-status: 0\r\ngrpc-message: All: WELL\r\nx-empty: \r\n"s);
}

TEST(WebTrailersTest, NoTrailersAreAnEmptyFrame) {
  std::string frame;
  WriteTrailerFrame({}, &frame);
  EXPECT_EQ(frame, "\x80\0\0\0\0"s);
}

TEST(WebTrailersTest, LengthsBeyondAByte) {
  const std::string value(0x12345, 'v');
  std::string frame;
  WriteTrailerFrame({{"n", value}}, &frame);
  EXPECT_EQ(frame.substr(0, 5), "\x80\0\1\x23\x4a"s);
  EXPECT_EQ(frame.size(), 5 + 0x1234a);
}

}  // namespace
}  // namespace sluice::grpc
