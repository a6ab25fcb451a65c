// The catalogue of hostile and odd responses, as far as their heads show it; ids are the
// catalogue's.
#include <gtest/gtest.h>

#include "dataplane/http/feed_for_test.h"

namespace sluice::http {
namespace {

using std::string_view_literals::operator""sv;

struct Case {
  const char* id;
  std::string_view bytes;
  const char* expected;
  Method method = Method::kGet;
};

constexpr Case kCases[] = {
    {"resp-cl-and-te",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
     "0\r\n\r\n"sv,
     "error BothLengthAndEncoding"},
    {"resp-dup-cl", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"resp-te-dup-chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"resp-bare-cr", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"sv,
     "error BadField"},
    {"resp-obs-fold", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"sv,
     "error BadField"},
    {"resp-bad-name", "HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n"sv, "error BadField"},
    {"resp-status-2digit", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"sv, "error BadStatusLine"},
    {"resp-status-999", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"sv, "error BadStatusLine"},
    {"resp-unasked-101",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"sv,
     "done 69: 101 Switching Protocols 1.1 none keep-alive [Connection=Upgrade] [Upgrade=x]"},
    {"resp-smtp", "220 mail ESMTP\r\n"sv, "error BadStatusLine"},
    {"resp-extra-bytes",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n"
     "Content-Length: 4\r\n\r\nevil"sv,
     "done 38: 200 OK 1.1 length=3 keep-alive [Content-Length=3]"},
    {"resp-head-body", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"sv,
     "done 38: 200 OK 1.1 none=4 keep-alive [Content-Length=4]", Method::kHead},
    {"resp-204-body", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"sv,
     "done 46: 204 No Content 1.1 none=4 [Content-Length=4]"},
    {"resp-304-cl", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"sv,
     "done 48: 304 Not Modified 1.1 none=4 keep-alive [Content-Length=4]"},
    {"resp-early-before-body", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"sv,
     "done 45: 403 Forbidden 1.1 length keep-alive [Content-Length=0]"},
};

TEST(SecurityResponseTest, CasesComeToTheSameHoweverTheyArrive) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.id);
    EXPECT_EQ(FeedResponse(c.bytes, {}, c.method), c.expected);
    EXPECT_EQ(FeedResponse(c.bytes, EveryByte(c.bytes.size()), c.method), c.expected);
    for (const size_t end : EveryByte(c.bytes.size())) {
      EXPECT_EQ(FeedResponse(c.bytes, std::span(&end, 1), c.method), c.expected) << end;
    }
  }
}

TEST(SecurityResponseTest, AHugeFieldEndsAtTheLimit) {
  EXPECT_EQ(FeedResponse("HTTP/1.1 200 OK\r\nX: " + std::string(1'000'000, 'a') + "\r\n\r\n"),
            "error HeadTooLarge");
}

}  // namespace
}  // namespace sluice::http
