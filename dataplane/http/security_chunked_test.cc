// The catalogue of hostile and odd chunked bodies; ids are the catalogue's.
#include <gtest/gtest.h>

#include "dataplane/http/feed_for_test.h"

namespace sluice::http {
namespace {

using std::string_view_literals::operator""sv;

struct Case {
  const char* id;
  std::string_view bytes;  // What follows the head.
  const char* expected;
};

constexpr Case kCases[] = {
    {"chunk-hex-prefix", "0x3\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-plus", "+3\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-underscore", "0_3\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-trail-sp", "3 \r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-alpha", "Z\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-overflow", "10000000000000003\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-lf-size", "3\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-cr-size", "3\rabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-lf-data", "3\r\nabc\n0\r\n\r\n"sv, "error BadChunk: abc"},
    {"chunk-no-crlf-data", "3\r\nabc0\r\n\r\n"sv, "error BadChunk: abc"},
    {"chunk-two-byte-term", "3\r\nabcXX0\r\n\r\n"sv, "error BadChunk: abc"},
    {"chunk-ext-lf", "3;a\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-ext-inner-lf", "3;a\nb\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-ext-cr", "3;a\rb\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-ext-nul", "3;\000a\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-ext-bare-semi", "3;\r\nabc\r\n0\r\n\r\n"sv, "error BadChunk: "},
    {"chunk-ext-valid-dropped", "3;foo=bar\r\nabc\r\n0\r\n\r\n"sv, "done 21: abc"},
    {"chunk-upper-hex-ok", "A\r\n0123456789\r\n0\r\n\r\n"sv, "done 20: 0123456789"},
    {"chunk-after-final-garbage", "0\r\n\r\nX\r\n\r\n"sv, "done 5: "},
    {"trailer-cl", "3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n"sv, "done 33: abc"},
    {"trailer-te", "3\r\nabc\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n"sv, "done 38: abc"},
    {"trailer-host", "3\r\nabc\r\n0\r\nHost: evil.test\r\n\r\n"sv, "done 30: abc"},
    {"trailer-auth",
     "3\r\nabc\r\n0\r\nX-Forwarded-For: 198.51.100.7\r\n"
     "Authorization: Basic QQ==\r\n\r\n"sv,
     "done 71: abc"},
    {"trailer-obs-fold", "0\r\nX: a\r\n b\r\n\r\n"sv, "error BadTrailer: "},
    {"trailer-lf-end", "0\r\nX: a\n\n"sv, "error BadTrailer: "},
    {"invalid-then-next", "INVALID!!!\r\nGET /b HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "error BadChunk: "},
};

TEST(SecurityChunkedTest, CasesComeToTheSameHoweverTheyArrive) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.id);
    EXPECT_EQ(FeedChunked(c.bytes), c.expected);
    EXPECT_EQ(FeedChunked(c.bytes, EveryByte(c.bytes.size())), c.expected);
    for (const size_t end : EveryByte(c.bytes.size())) {
      EXPECT_EQ(FeedChunked(c.bytes, std::span(&end, 1)), c.expected) << end;
    }
  }
}

TEST(SecurityChunkedTest, FloodsEndAtTheirLimits) {
  const std::string extension = "3;" + std::string(65'536, 'a') + "\r\nabc\r\n0\r\n\r\n";
  EXPECT_EQ(FeedChunked(extension), "error BadChunk: ");
  std::string trailers = "0\r\n";
  for (int i = 0; i < 100'000; ++i) trailers += "X: y\r\n";
  EXPECT_EQ(FeedChunked(trailers), "error TooManyFields: ");
  EXPECT_EQ(FeedChunked("0\r\nX: " + std::string(100'000, 'y') + "\r\n\r\n"),
            "error HeadTooLarge: ");
}

TEST(SecurityChunkedTest, ManySmallChunksAreNoError) {
  std::string bytes;
  for (int i = 0; i < 200'000; ++i) bytes += "1\r\na\r\n";
  bytes += "0\r\n\r\n";
  EXPECT_EQ(FeedChunked(bytes),
            "done " + std::to_string(bytes.size()) + ": " + std::string(200'000, 'a'));
}

}  // namespace
}  // namespace sluice::http
