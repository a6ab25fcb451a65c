#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "dataplane/http/h1_parser.h"

namespace sluice::http {
namespace {

ParseResult Parse(std::string_view bytes, ResponseHead* head, Method method = Method::kGet,
                  ParseError* error = nullptr, size_t* consumed = nullptr) {
  ResponseParser parser;
  parser.Reset({}, method);
  ParseResult result = ParseResult::kNeedMore;
  // Byte by byte at new addresses first: the outcome must not depend on it.
  std::unique_ptr<char[]> block;
  ResponseHead dribbled;
  for (size_t size = 1; size <= bytes.size() && result == ParseResult::kNeedMore; ++size) {
    std::unique_ptr<char[]> moved(new char[size]);
    bytes.copy(moved.get(), size);
    block = std::move(moved);
    result = parser.Parse({block.get(), size}, &dribbled);
  }
  const ParseResult slow = result;
  parser.Reset({}, method);
  result = parser.Parse(bytes, head);
  EXPECT_EQ(slow, result);
  if (result == ParseResult::kDone) {
    EXPECT_EQ(dribbled.status, head->status);
    EXPECT_EQ(dribbled.fields.size(), head->fields.size());
  }
  if (error != nullptr) *error = parser.error();
  if (consumed != nullptr) *consumed = parser.consumed();
  return result;
}

TEST(ResponseParserTest, FramesByStatusFieldsAndMethod) {
  ResponseHead head;
  size_t consumed = 0;
  const std::string whole =
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: timeout=5, max=9\r\n\r\nabc";
  ASSERT_EQ(Parse(whole, &head, Method::kGet, nullptr, &consumed), ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kLength);
  EXPECT_EQ(head.content_length, 3u);
  EXPECT_EQ(head.reason, "OK");
  EXPECT_EQ(head.keep_alive_timeout_seconds, 5u);
  EXPECT_EQ(consumed, whole.size() - 3);
  ASSERT_EQ(Parse(whole, &head, Method::kHead), ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kNone);
  ASSERT_EQ(Parse("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", &head),
            ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kNone);
  ASSERT_EQ(Parse("HTTP/1.1 204\r\n\r\n", &head), ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kNone);
  ASSERT_EQ(Parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &head),
            ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kChunked);
  ASSERT_EQ(Parse("HTTP/1.0 200 OK\r\n\r\n", &head), ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kUntilClose);
  EXPECT_FALSE(head.keep_alive);
  ASSERT_EQ(Parse("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", &head), ParseResult::kDone);
  EXPECT_EQ(head.framing, Framing::kNone);
}

TEST(ResponseParserTest, RefusesWhatIsMalformed) {
  const std::string refused[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n",
      "HTTP/1.1 200 OK\nX: a\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 999 X\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "220 mail ESMTP\r\n",
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
  };
  for (const std::string& bytes : refused) {
    SCOPED_TRACE(bytes);
    ResponseHead head;
    EXPECT_EQ(Parse(bytes, &head), ParseResult::kError);
  }
}

TEST(ResponseParserTest, LimitsTheHead) {
  ResponseParser parser;
  ResponseHead head;
  parser.Reset({.head_bytes = 100, .target_bytes = 0, .fields = 2}, Method::kGet);
  EXPECT_EQ(parser.Parse("HTTP/1.1 200 OK\r\nX: " + std::string(200, 'a'), &head),
            ParseResult::kError);
  EXPECT_EQ(parser.error(), ParseError::kHeadTooLarge);
  parser.Reset({.head_bytes = 100, .target_bytes = 0, .fields = 2}, Method::kGet);
  EXPECT_EQ(parser.Parse("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", &head),
            ParseResult::kError);
  EXPECT_EQ(parser.error(), ParseError::kTooManyFields);
}

}  // namespace
}  // namespace sluice::http
