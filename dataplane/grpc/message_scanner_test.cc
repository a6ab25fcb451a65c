#include "dataplane/grpc/message_scanner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sluice::grpc {
namespace {

using namespace std::string_literals;

TEST(MessageScannerTest, KnowsWhereMessagesEnd) {
  const std::string frames = "\0\0\0\0\0"s + "\1\0\0\0\3abc"s + "\0\0\0\1\0"s +
                             std::string(256, '\x80') + "\0\0\0\0\1\x80"s;
  const size_t ends[] = {0, 5, 13, 13 + 261, frames.size()};
  MessageScanner scanner;
  for (size_t i = 0; i <= frames.size(); ++i) {
    const bool is_end = std::find(std::begin(ends), std::end(ends), i) != std::end(ends);
    EXPECT_EQ(scanner.at_boundary(), is_end) << i;
    EXPECT_TRUE(scanner.Take(std::string_view(frames).substr(i, 1)));
  }
  MessageScanner whole;
  EXPECT_TRUE(whole.Take(frames));
  EXPECT_TRUE(whole.at_boundary());
}

TEST(MessageScannerTest, RefusesAFrameOfTrailers) {
  for (const std::string& prefix : {"\x80"s, "\x81\0\0\0\0"s, "\0\0\0\0\1x\x80"s}) {
    MessageScanner scanner;
    EXPECT_FALSE(scanner.Take(prefix));
    EXPECT_FALSE(scanner.Take("\0\0\0\0\0"s));
    EXPECT_FALSE(scanner.at_boundary());
  }
}

TEST(MessageScannerTest, TheLongestMessage) {
  MessageScanner scanner;
  EXPECT_TRUE(scanner.Take("\0\xff\xff\xff\xff"s));
  const std::string piece(1 << 24, 'x');
  for (int i = 0; i < 256; ++i) {
    EXPECT_FALSE(scanner.at_boundary());
    EXPECT_TRUE(
        scanner.Take(i < 255 ? std::string_view(piece) : std::string_view(piece).substr(1)));
  }
  EXPECT_TRUE(scanner.at_boundary());
}

}  // namespace
}  // namespace sluice::grpc
