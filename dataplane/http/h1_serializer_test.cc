#include "dataplane/http/h1_serializer.h"

#include <gtest/gtest.h>

#include <limits>

#include "dataplane/http/feed_for_test.h"

namespace sluice::http {
namespace {

TEST(HeadWriterTest, WritesWhatTheParserReads) {
  char block[256];
  HeadWriter writer(block, sizeof block);
  writer.StatusLine(200, "");
  writer.Field("X", "y");
  writer.Field("Empty", {});
  writer.Append("Content-Length: ");
  writer.Number(18446744073709551615u);
  writer.Crlf();
  EXPECT_FALSE(writer.overflow());
  EXPECT_EQ(writer.view(),
            "HTTP/1.1 200 OK\r\nX: y\r\nEmpty: \r\nContent-Length: 18446744073709551615\r\n");
  HeadWriter other(block, sizeof block);
  other.StatusLine(404, "");
  other.Field("Content-Length", "0");
  other.Append({});
  other.Crlf();
  EXPECT_EQ(FeedResponse(other.view()),
            "done 45: 404 Not Found 1.1 length keep-alive [Content-Length=0]");
}

TEST(HeadWriterTest, StatusLinesKeepAReasonThatIsGiven) {
  char block[64];
  const auto line = [&](uint16_t status, std::string_view reason) {
    HeadWriter writer(block, sizeof block);
    writer.StatusLine(status, reason);
    return std::string(writer.view());
  };
  EXPECT_EQ(line(200, "Fine"), "HTTP/1.1 200 Fine\r\n");
  EXPECT_EQ(line(200, "OK"), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(line(503, ""), "HTTP/1.1 503 Service Unavailable\r\n");
  EXPECT_EQ(line(299, ""), "HTTP/1.1 299 \r\n");
}

TEST(HeadWriterTest, TellsWhenSomethingDidNotFit) {
  const std::string_view expected = "A: b\r\nab7\r\n";
  for (size_t bytes = 0; bytes <= expected.size(); ++bytes) {
    const std::unique_ptr<char[]> block(new char[bytes]);  // AddressSanitizer watches its end.
    HeadWriter writer(block.get(), bytes);
    writer.Field("A", "b");
    writer.Append("ab");
    writer.Number(7);
    writer.Crlf();
    EXPECT_EQ(writer.overflow(), bytes < expected.size()) << bytes;
    EXPECT_LE(writer.size(), bytes);
    if (bytes == expected.size()) {
      EXPECT_EQ(writer.view(), expected);
    }
  }
}

TEST(ReasonTest, KnowsStandardStatusesOnly) {
  EXPECT_EQ(ReasonOf(100), "Continue");
  EXPECT_EQ(ReasonOf(431), "Request Header Fields Too Large");
  EXPECT_EQ(ReasonOf(511), "Network Authentication Required");
  for (const uint16_t status : {0, 99, 199, 306, 418, 599, 65535}) EXPECT_EQ(ReasonOf(status), "");
}

TEST(ChunkSizeLineTest, IsReadBackAsTheSameSize) {
  const auto line = [](size_t bytes) {
    char out[kChunkSizeLineMax];
    return std::string(out, WriteChunkSizeLine(bytes, out));
  };
  EXPECT_EQ(line(0), "0\r\n");
  EXPECT_EQ(line(9), "9\r\n");
  EXPECT_EQ(line(10), "a\r\n");
  EXPECT_EQ(line(16), "10\r\n");
  EXPECT_EQ(line(0x1a2b), "1a2b\r\n");
  EXPECT_EQ(line(std::numeric_limits<size_t>::max()), "ffffffffffffffff\r\n");
  for (const size_t bytes : {1u, 15u, 16u, 255u, 256u, 4095u, 4096u}) {
    const std::string body(bytes, 'x');
    const std::string coded = line(bytes) + body + "\r\n0\r\n\r\n";
    EXPECT_EQ(FeedChunked(coded), "done " + std::to_string(coded.size()) + ": " + body);
  }
}

TEST(ChunkedEndTest, CarriesTrailers) {
  EXPECT_EQ(ChunkedEnd({}), "0\r\n\r\n");
  const std::vector<Field> trailers = {{"grpc-status", "0"}, {"X", ""}};
  const std::string end = ChunkedEnd(trailers);
  EXPECT_EQ(end, "0\r\ngrpc-status: 0\r\nX: \r\n\r\n");
  EXPECT_EQ(FeedChunked(end), "done " + std::to_string(end.size()) + ":  [grpc-status=0] [X=]");
}

}  // namespace
}  // namespace sluice::http
