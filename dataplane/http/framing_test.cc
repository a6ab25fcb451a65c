#include "dataplane/http/framing.h"

#include <gtest/gtest.h>

#include "dataplane/http/feed_for_test.h"

namespace sluice::http {
namespace {

// What a request with these fields comes to, from its framing on.
std::string Request(const std::string& fields, const std::string& version = "1.1") {
  const std::string outcome =
      FeedRequest("POST / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n");
  if (outcome.starts_with("error")) return outcome;
  const size_t begin = outcome.find(" 1.") + 5;
  return outcome.substr(begin, outcome.find(" host=") - begin);
}

std::string Response(const std::string& status_line, const std::string& fields,
                     Method method = Method::kGet) {
  const std::string outcome = FeedResponse(status_line + "\r\n" + fields + "\r\n", {}, method);
  if (outcome.starts_with("error")) return outcome;
  const size_t begin = outcome.find(" 1.") + 5;
  return outcome.substr(begin, outcome.find(" [") - begin);
}

TEST(FramingTest, ALengthIsDigitsOnly) {
  EXPECT_EQ(Request("Content-Length: 0\r\n"), "none keep-alive has-length");
  EXPECT_EQ(Request("Content-Length:5 \t\r\n"), "length=5 keep-alive has-length");
  EXPECT_EQ(Request("Content-Length: 999999999999999999\r\n"),
            "length=999999999999999999 keep-alive has-length");
  for (const char* value : {"", " ", "-1", "+1", "0x1", "1,1", "1 1", "1.", "1e1", "\xb2", "1;",
                            "\"1\"", "1000000000000000000", "9223372036854775808",
                            "18446744073709551616", "0000000000000000001"}) {
    EXPECT_EQ(Request("Content-Length: " + std::string(value) + "\r\n"), "error BadContentLength")
        << value;
  }
}

TEST(FramingTest, OnlyChunkedIsATransferCodingWeKnow) {
  EXPECT_EQ(Request("Transfer-Encoding: cHuNkEd\r\n"), "chunked keep-alive");
  for (const char* value :
       {"gzip", "identity", "xchunked", "chunkedx", "gzip, chunked", "gzip , deflate", "a,b,c"}) {
    EXPECT_EQ(Request("Transfer-Encoding: " + std::string(value) + "\r\n"),
              "error UnknownTransferCoding")
        << value;
  }
  for (const char* value :
       {"", ",", "chunked,", ",chunked", "chunked, chunked", "chunked, gzip", "chunked, gzip, x",
        "chunked;q=1", "gzip,,chunked", "chunked chunked", "\"chunked\"", "gzip;q=1, chunked"}) {
    EXPECT_EQ(Request("Transfer-Encoding: " + std::string(value) + "\r\n"),
              "error BadTransferEncoding")
        << value;
  }
  EXPECT_EQ(Request("Transfer-Encoding: chunked\r\n", "1.0"), "error BadTransferEncoding");
}

TEST(FramingTest, TwoFramingsAreRefusedInEitherOrder) {
  EXPECT_EQ(Request("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
            "error BothLengthAndEncoding");
  EXPECT_EQ(Request("Transfer-Encoding: chunked\r\nContent-Length: x\r\n"),
            "error BothLengthAndEncoding");
}

TEST(FramingTest, ConnectionDecidesPersistence) {
  EXPECT_EQ(Request(""), "none keep-alive");
  EXPECT_EQ(Request("", "1.0"), "none");
  EXPECT_EQ(Request("Connection: Keep-Alive\r\n", "1.0"), "none keep-alive");
  EXPECT_EQ(Request("Connection: close\r\n"), "none");
  EXPECT_EQ(Request("Connection: keep-alive, close\r\n"), "none");
  EXPECT_EQ(Request("Connection: keep-alive\r\nConnection:\tCLOSE\r\n"), "none");
  EXPECT_EQ(Request("Connection: closed\r\n"), "none keep-alive names-fields");
  EXPECT_EQ(Request("Connection:\r\n"), "none keep-alive");
  EXPECT_EQ(Request("Connection: , ,\tx-a ,\r\n"), "none keep-alive names-fields");
  EXPECT_EQ(Request("Connection: close; x\r\n"), "error BadConnection");
  EXPECT_EQ(Request("Connection: x y\r\n"), "error BadConnection");
}

TEST(FramingTest, AnUpgradeMustBeNamedByConnection) {
  EXPECT_EQ(Request("Connection: upgrade\r\nUpgrade: x\r\n"), "none keep-alive upgrade");
  EXPECT_EQ(Request("Connection: upgrade\r\n"), "none keep-alive");
  EXPECT_EQ(Request("Upgrade: x\r\n"), "none keep-alive");
  EXPECT_EQ(Request("Connection: upgrade, keep-alive\r\nUpgrade: x\r\n", "1.0"), "none keep-alive");
}

TEST(FramingTest, OneExpectationIsKnown) {
  EXPECT_EQ(Request("Expect: 100-Continue\r\n"), "none keep-alive expect");
  EXPECT_EQ(Request("Expect: 100-continue\r\n", "1.0"), "none");
  for (const char* fields : {"Expect:\r\n", "Expect: 100-continue, x\r\n", "Expect: 100\r\n",
                             "Expect: 100-continue\r\nExpect: 100-continue\r\n"}) {
    EXPECT_EQ(Request(fields), "error BadExpect") << fields;
  }
}

TEST(FramingTest, ResponsesAreFramedByStatusFieldsAndMethod) {
  EXPECT_EQ(Response("HTTP/1.1 200 OK", ""), "until-close keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 200 OK", "Content-Length: 0\r\n"), "length keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 404 No", "Transfer-Encoding: chunked\r\n"), "chunked keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 304 No", "Content-Length: 7\r\n"), "none=7 keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 304 No", "Transfer-Encoding: chunked\r\n"), "none keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 200 OK", "Content-Length: 7\r\n", Method::kHead),
            "none=7 keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 200 OK", "", Method::kHead), "none keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 299 OK", "Content-Length: 7\r\n", Method::kConnect),
            "none=7 keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 403 No", "Content-Length: 7\r\n", Method::kConnect),
            "length=7 keep-alive");
  EXPECT_EQ(Response("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n"),
            "error BadTransferEncoding");
}

TEST(FramingTest, AStatusWithoutBodyThatAnnouncesOneIsNotTrusted) {
  EXPECT_EQ(Response("HTTP/1.1 204 No", "Content-Length: 0\r\n"), "none keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 204 No", "Content-Length: 1\r\n"), "none=1");
  EXPECT_EQ(Response("HTTP/1.1 204 No", "Transfer-Encoding: chunked\r\n"), "none");
  EXPECT_EQ(Response("HTTP/1.1 100 Go", "Content-Length: 0\r\n"), "none keep-alive");
  EXPECT_EQ(Response("HTTP/1.1 100 Go", "Content-Length: 1\r\n"), "error BadContentLength");
  EXPECT_EQ(Response("HTTP/1.1 199 Go", "Transfer-Encoding: chunked\r\n"),
            "error BadTransferEncoding");
}

TEST(FramingTest, KeepAliveHintsAreReadLeniently) {
  const auto hint = [](const std::string& value) {
    return Response("HTTP/1.1 200 OK", "Keep-Alive: " + value + "\r\n");
  };
  EXPECT_EQ(hint("max=3, Timeout=15"), "until-close keep-alive timeout=15");
  EXPECT_EQ(hint("timeout=99999999999999999999"), "until-close keep-alive timeout=100000");
  for (const char* value : {"", "timeout", "timeout=", "timeout=x", "timeout=5s", "xtimeout=5",
                            "timeout=-1", "timeout= 5"}) {
    EXPECT_EQ(hint(value), "until-close keep-alive") << value;
  }
}

}  // namespace
}  // namespace sluice::http
