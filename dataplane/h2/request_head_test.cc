#include "dataplane/h2/request_head.h"

#include <gtest/gtest.h>

#include <utility>

namespace sluice::h2 {
namespace {

using http::ParseError;
using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

class RequestHeadTest : public testing::Test {
 protected:
  ParseError Read(const Fields& fields, bool end = true) {
    block_.Clear();
    for (const auto& [name, value] : fields) block_.Add(name, value);
    return ReadRequestHead(block_, {.target_bytes_max = 100}, end, &cookie_, &pseudo_, &head_);
  }
  // A good request with `more` behind it.
  ParseError ReadWith(Fields more, bool end = true) {
    Fields fields = {
        {":method", "POST"}, {":scheme", "https"}, {":authority", "a.test"}, {":path", "/p?q"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return Read(fields, end);
  }
  ParseError ReadPath(std::string_view path, std::string_view method = "GET") {
    return Read(
        {{":method", method}, {":scheme", "https"}, {":authority", "a.test"}, {":path", path}});
  }

  FieldBlock block_;
  std::string cookie_;
  PseudoFields pseudo_;
  http::RequestHead head_;
};

TEST_F(RequestHeadTest, PseudoFieldsBecomeTheRequestLine) {
  ASSERT_EQ(ReadWith({{"x-a", "1"}}), ParseError::kNone);
  EXPECT_EQ(head_.method, http::Method::kPost);
  EXPECT_EQ(head_.method_text, "POST");
  EXPECT_EQ(head_.target, "/p?q");
  EXPECT_EQ(head_.host, "a.test");
  EXPECT_EQ(pseudo_.authority, "a.test");
  EXPECT_EQ(pseudo_.scheme, "https");
  ASSERT_EQ(head_.fields.size(), 1u);
  EXPECT_EQ(head_.fields[0].value, "1");
}

TEST_F(RequestHeadTest, FramingIsByLengthAndEnd) {
  ASSERT_EQ(ReadWith({}), ParseError::kNone);
  EXPECT_EQ(head_.framing, http::Framing::kNone);
  ASSERT_EQ(ReadWith({}, false), ParseError::kNone);
  EXPECT_EQ(head_.framing, http::Framing::kChunked);
  ASSERT_EQ(ReadWith({{"content-length", "5"}}, false), ParseError::kNone);
  EXPECT_EQ(head_.framing, http::Framing::kLength);
  EXPECT_EQ(head_.content_length, 5u);
  ASSERT_EQ(ReadWith({{"content-length", "0"}}), ParseError::kNone);
  EXPECT_TRUE(head_.has_content_length);
  EXPECT_EQ(ReadWith({{"content-length", "5"}}, true), ParseError::kBadContentLength);
}

TEST_F(RequestHeadTest, CookieCrumbsAreJoined) {
  ASSERT_EQ(ReadWith({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}}), ParseError::kNone);
  ASSERT_EQ(head_.fields.size(), 2u);
  EXPECT_EQ(head_.fields[1].value, "a=1; b=2");
  EXPECT_EQ(head_.fields[1].id, http::FieldId::kCookie);
}

TEST_F(RequestHeadTest, HostAndAuthorityMustAgree) {
  EXPECT_EQ(ReadWith({{"host", "A.test"}}), ParseError::kNone);
  EXPECT_EQ(ReadWith({{"host", "evil.test"}}), ParseError::kBadHost);
  EXPECT_EQ(ReadWith({{"host", "a.test"}, {"host", "a.test"}}), ParseError::kBadHost);
  EXPECT_EQ(ReadWith({{"authorization", "Basic YQ=="}}), ParseError::kNone);
  EXPECT_EQ(ReadWith({{"authorization", "Basic YQ=="}, {"authorization", "Basic Yg=="}}),
            ParseError::kBadField);
  ASSERT_EQ(Read({{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", "only.test"}}),
            ParseError::kNone);
  EXPECT_EQ(pseudo_.authority, "only.test");
  EXPECT_EQ(Read({{":method", "GET"}, {":scheme", "https"}, {":path", "/"}}), ParseError::kBadHost);
  EXPECT_EQ(Read({{":method", "GET"},
                  {":scheme", "https"},
                  {":authority", "user@a.test"},
                  {":path", "/"}}),
            ParseError::kBadHost);
}

TEST_F(RequestHeadTest, SchemesAreTheWebsOwn) {
  EXPECT_EQ(Read({{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}}),
            ParseError::kBadTarget);
  EXPECT_EQ(Read({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}),
            ParseError::kNone);
}

TEST_F(RequestHeadTest, TargetsAreThoseThatHttp1CouldCarry) {
  EXPECT_EQ(ReadPath("/a%20b?c=d"), ParseError::kNone);
  EXPECT_EQ(ReadPath("*", "OPTIONS"), ParseError::kNone);
  for (const std::string_view bad : {"", "admin", "*", "/a b", "/a#b", "/\xff", "http://a.test/x",
                                     "/ HTTP/1.1\r\nX: y", "/%zz"}) {
    EXPECT_EQ(ReadPath(bad), ParseError::kBadTarget) << bad;
  }
  EXPECT_EQ(ReadPath(std::string(101, '/')), ParseError::kTargetTooLong);
}

TEST_F(RequestHeadTest, MethodsAreTokens) {
  EXPECT_EQ(ReadPath("/", "PROPFIND"), ParseError::kNone);
  for (const std::string_view bad : {"", "GET?", "GET / HTTP/1.1\r\nX: y\r\n\r\nGET"}) {
    EXPECT_EQ(ReadPath("/", bad), ParseError::kBadMethod) << bad;
  }
}

TEST_F(RequestHeadTest, ConnectHasAnAuthorityAlone) {
  EXPECT_EQ(Read({{":method", "CONNECT"}, {":authority", "a.test:443"}}), ParseError::kNone);
  // Extended (RFC 8441): like any other request, and with a protocol.
  EXPECT_EQ(Read({{":method", "CONNECT"},
                  {":protocol", "websocket"},
                  {":scheme", "https"},
                  {":path", "/chat"},
                  {":authority", "a.test"}},
                 false),
            ParseError::kNone);
  EXPECT_EQ(pseudo_.protocol, "websocket");
  EXPECT_EQ(head_.target, "/chat");
}

TEST_F(RequestHeadTest, ExpectationsAreKnownOnes) {
  ASSERT_EQ(ReadWith({{"expect", "100-continue"}}, false), ParseError::kNone);
  EXPECT_TRUE(head_.expect_continue);
  EXPECT_EQ(ReadWith({{"expect", "200-maybe"}}, false), ParseError::kBadExpect);
}

TEST_F(RequestHeadTest, NothingOfTheLastHeadStays) {
  ASSERT_EQ(
      ReadWith({{"cookie", "a=1"}, {"expect", "100-continue"}, {"content-length", "7"}}, false),
      ParseError::kNone);
  ASSERT_EQ(ReadWith({}), ParseError::kNone);
  EXPECT_TRUE(head_.fields.empty());
  EXPECT_FALSE(head_.expect_continue);
  EXPECT_FALSE(head_.has_content_length);
  EXPECT_EQ(head_.content_length, 0u);
}

}  // namespace
}  // namespace sluice::h2
