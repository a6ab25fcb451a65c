#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "dataplane/http/h1_parser.h"

namespace sluice::http {
namespace {

struct Outcome {
  ParseResult result = ParseResult::kNeedMore;
  ParseError error = ParseError::kNone;
  size_t consumed = 0;
  std::string text;  // The head as understood.
  bool operator==(const Outcome&) const = default;
};

std::string TextOf(const RequestHead& head) {
  std::string text = std::string(head.method_text) + "|" + std::string(head.target) + "|1." +
                     std::to_string(head.minor_version) + "|";
  for (const Field& field : head.fields) {
    text += std::string(field.name) + "=" + std::string(field.value) + ";";
  }
  return text;
}

Outcome ParseWhole(std::string_view bytes, const HeadLimits& limits, RequestHead* head) {
  RequestParser parser;
  parser.Reset(limits);
  Outcome outcome;
  outcome.result = parser.Parse(bytes, head);
  outcome.error = parser.error();
  if (outcome.result == ParseResult::kDone) {
    outcome.consumed = parser.consumed();
    outcome.text = TextOf(*head);
  }
  return outcome;
}

// Byte by byte, each time at another address.
Outcome ParseDribbled(std::string_view bytes, const HeadLimits& limits) {
  RequestParser parser;
  parser.Reset(limits);
  RequestHead head;
  Outcome outcome;
  std::unique_ptr<char[]> block;
  for (size_t size = 1; size <= bytes.size(); ++size) {
    std::unique_ptr<char[]> moved(new char[size]);
    bytes.copy(moved.get(), size);
    block = std::move(moved);
    outcome.result = parser.Parse({block.get(), size}, &head);
    if (outcome.result != ParseResult::kNeedMore) break;
  }
  outcome.error = parser.error();
  if (outcome.result == ParseResult::kDone) {
    outcome.consumed = parser.consumed();
    outcome.text = TextOf(head);
  }
  return outcome;
}

struct Case {
  const char* name;
  std::string bytes;
  ParseError error;
};

std::string Get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n";
}
std::string Line(const std::string& line) { return line + "\r\nHost: a.test\r\n\r\n"; }

std::vector<Case> Refused() {
  using enum ParseError;
  return {
      {"bare LF after the request line", "GET / HTTP/1.1\nHost: a.test\r\n\r\n", kBadRequestLine},
      {"two spaces", Line("GET  / HTTP/1.1"), kBadTarget},
      {"tab as separator", Line("GET\t/ HTTP/1.1"), kBadMethod},
      {"no version", Line("GET /"), kBadRequestLine},
      {"two-digit minor", Line("GET / HTTP/1.10"), kBadVersion},
      {"lower-case name", Line("GET / http/1.1"), kBadVersion},
      {"junk after version", Line("GET / HTTP/1.1x"), kBadVersion},
      {"trailing space", Line("GET / HTTP/1.1 "), kBadVersion},
      {"HTTP/2.0", Line("GET / HTTP/2.0"), kUnsupportedVersion},
      {"HTTP/1.2", Line("GET / HTTP/1.2"), kUnsupportedVersion},
      {"method is no token", Line("G[E]T / HTTP/1.1"), kBadMethod},
      {"fragment", Line("GET /a#b HTTP/1.1"), kBadTarget},
      {"NUL in target", Line(std::string("GET /\0 HTTP/1.1", 15)), kBadTarget},
      {"relative target", Line("GET admin HTTP/1.1"), kBadTarget},
      {"asterisk for GET", Line("GET * HTTP/1.1"), kBadTarget},
      {"bad percent-triplet", Line("GET /%zz HTTP/1.1"), kBadTarget},
      {"cut percent-triplet", Line("GET /%4 HTTP/1.1"), kBadTarget},
      {"high byte in target", Line("GET /\xc3\xa4 HTTP/1.1"), kBadTarget},
      {"other scheme", Line("GET ftp://a.test/ HTTP/1.1"), kBadTarget},
      {"userinfo", Line("GET http://u:p@a.test/ HTTP/1.1"), kBadTarget},
      {"CONNECT without port", Line("CONNECT a.test HTTP/1.1"), kBadTarget},
      {"binary garbage", "\x16\x03\x01\x02", kBadMethod},
      {"five empty lines", "\r\n\r\n\r\n\r\n\r\n" + Get(""), kBadRequestLine},
      {"bare CR in value", Get("X: a\rb\r\n"), kBadField},
      {"bare LF ends a field", Get("X: a\n"), kBadField},
      {"NUL in value", Get(std::string("X: a\0b\r\n", 8)), kBadField},
      {"control byte in value",
       Get("X: a\x01"
           "b\r\n"),
       kBadField},
      {"DEL in value",
       Get("X: a\x7f"
           "b\r\n"),
       kBadField},
      {"control byte in a long value", Get("X: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\x02zzzz\r\n"),
       kBadField},
      {"folded line", Get("X: a\r\n b\r\n"), kBadField},
      {"space before the first field", "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", kBadField},
      {"empty name", Get(": x\r\n"), kBadField},
      {"no colon", Get("Content-Length 5\r\n"), kBadField},
      {"space before colon", Get("Content-Length : 5\r\n"), kBadField},
      {"tab before colon", Get("Transfer-Encoding\t: chunked\r\n"), kBadField},
      {"bad name", Get("X(1): y\r\n"), kBadField},
      {"high byte in name", Get("\xefX: y\r\n"), kBadField},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", kBadHost},
      {"two Hosts", Get("Host: b.test\r\n"), kBadHost},
      {"two Authorizations", Get("Authorization: Basic YQ==\r\nauthorization: Basic Yg==\r\n"),
       kBadField},
      {"same Host twice", Get("Host: a.test\r\n"), kBadHost},
      {"path in Host", "GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n", kBadHost},
      {"bad port", "GET / HTTP/1.1\r\nHost: a.test:8x\r\n\r\n", kBadHost},
      {"big port", "GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n", kBadHost},
      {"broken IPv6", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", kBadHost},
      {"empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", kBadHost},
      {"userinfo in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", kBadHost},
      {"both framings", Get("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"),
       kBothLengthAndEncoding},
      {"both framings, turned", Get("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n"),
       kBothLengthAndEncoding},
      {"two encodings", Get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       kBadTransferEncoding},
      {"chunked twice", Get("Transfer-Encoding: chunked, chunked\r\n"), kBadTransferEncoding},
      {"chunked not last", Get("Transfer-Encoding: chunked, gzip\r\n"), kBadTransferEncoding},
      {"gzip only", Get("Transfer-Encoding: gzip\r\n"), kUnknownTransferCoding},
      {"identity", Get("Transfer-Encoding: identity\r\n"), kUnknownTransferCoding},
      {"parameters", Get("Transfer-Encoding: chunked;a=b\r\n"), kBadTransferEncoding},
      {"empty list element", Get("Transfer-Encoding: ,chunked\r\n"), kBadTransferEncoding},
      {"VT before chunked",
       Get("Transfer-Encoding: \x0b"
           "chunked\r\n"),
       kBadField},
      {"0xA0 around chunked",
       Get("Transfer-Encoding: \xa0"
           "chunked\xa0\r\n"),
       kBadTransferEncoding},
      {"encoding in 1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
       kBadTransferEncoding},
      {"lengths differ", Get("Content-Length: 5, 6\r\n"), kBadContentLength},
      {"length twice", Get("Content-Length: 5\r\nContent-Length: 5\r\n"), kBadContentLength},
      {"sign", Get("Content-Length: +5\r\n"), kBadContentLength},
      {"hex", Get("Content-Length: 0x5\r\n"), kBadContentLength},
      {"inner space", Get("Content-Length: 1 0\r\n"), kBadContentLength},
      {"letters", Get("Content-Length: 5a\r\n"), kBadContentLength},
      {"over 64 bits", Get("Content-Length: 18446744073709551617\r\n"), kBadContentLength},
      {"empty length", Get("Content-Length: \r\n"), kBadContentLength},
      {"unknown expectation", Get("Expect: y 100-continue\r\n"), kBadExpect},
      {"bad Connection", Get("Connection: cl(ose\r\n"), kBadConnection},
  };
}

TEST(RequestParserTest, RefusesWhatIsMalformedWholeAndByteByByte) {
  for (const Case& refused : Refused()) {
    SCOPED_TRACE(refused.name);
    RequestHead head;
    const Outcome whole = ParseWhole(refused.bytes, {}, &head);
    EXPECT_EQ(whole.result, ParseResult::kError);
    EXPECT_EQ(static_cast<int>(whole.error), static_cast<int>(refused.error));
    const Outcome dribbled = ParseDribbled(refused.bytes, {});
    EXPECT_EQ(dribbled.result, ParseResult::kError);
    EXPECT_EQ(static_cast<int>(dribbled.error), static_cast<int>(refused.error));
  }
}

TEST(RequestParserTest, AcceptsWhatIsValidTheSameWayHoweverItArrives) {
  const std::string accepted[] = {
      Get(""),
      Get("X: y\r\nX-Empty:\r\nUser-Agent: \"quoted\" \xe4\xf6\r\n"),
      "\r\n\r\n" + Get(""),
      "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET http://A.test:80/x?y=z HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nabcde",
      "POST /p HTTP/1.1\r\nhost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n",
      "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
      "GET /?q=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  for (const std::string& bytes : accepted) {
    SCOPED_TRACE(bytes);
    RequestHead head;
    const Outcome whole = ParseWhole(bytes, {}, &head);
    EXPECT_EQ(whole.result, ParseResult::kDone);
    EXPECT_EQ(ParseDribbled(bytes, {}), whole);
  }
}

TEST(RequestParserTest, UnderstandsFramingAndPersistence) {
  RequestHead head;
  ParseWhole("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\n", {}, &head);
  EXPECT_EQ(head.framing, Framing::kLength);
  EXPECT_EQ(head.content_length, 5u);
  EXPECT_TRUE(head.keep_alive);
  ParseWhole(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x, Close\r\n\r\n",
      {}, &head);
  EXPECT_EQ(head.framing, Framing::kChunked);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_TRUE(head.connection_names_fields);
  ParseWhole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {}, &head);
  EXPECT_EQ(head.framing, Framing::kNone);
  EXPECT_TRUE(head.keep_alive);
  ParseWhole("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", {}, &head);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  ParseWhole(Get("Expect: 100-Continue\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"), {},
             &head);
  EXPECT_TRUE(head.expect_continue);
  EXPECT_TRUE(head.has_upgrade);
  ParseWhole(Get("Upgrade: websocket\r\n"), {}, &head);
  EXPECT_FALSE(head.has_upgrade);
}

TEST(RequestParserTest, HoldsItsLimitsBeforeTheHeadIsComplete) {
  const HeadLimits limits{.head_bytes = 1000, .target_bytes = 100, .fields = 3};
  EXPECT_EQ(ParseDribbled("GET /" + std::string(2000, 'a'), limits).error,
            ParseError::kTargetTooLong);
  EXPECT_EQ(ParseDribbled("GET / HTTP/1.1\r\nX: " + std::string(2000, 'a'), limits).error,
            ParseError::kHeadTooLarge);
  EXPECT_EQ(ParseDribbled(Get("A: 1\r\nB: 2\r\nC: 3\r\n"), limits).error,
            ParseError::kTooManyFields);
  EXPECT_EQ(ParseDribbled(std::string(100, 'A'), limits).error, ParseError::kBadMethod);
}

TEST(RequestParserTest, MarksNamesThatShadowFraming) {
  RequestHead head;
  ParseWhole(Get("Transfer_Encoding: chunked\r\nX_Other: 1\r\nx-sluice-cluster: a\r\n"), {}, &head);
  EXPECT_EQ(head.fields[1].id, FieldId::kUnderscore);
  EXPECT_EQ(head.fields[2].id, FieldId::kOther);
  EXPECT_EQ(head.fields[3].id, FieldId::kXSluice);
  EXPECT_EQ(head.framing, Framing::kNone);
}

TEST(RequestParserTest, RefusesGarbageAtTheFirstImpossibleByte) {
  RequestParser parser;
  RequestHead head;
  for (const std::string_view bytes :
       {"\x16", "G\x80", "GET /a\x01", "GET /#", "GET / X", "GET / HTTP/1.1\r\n ",
        "GET / HTTP/1.1\r\nA\x80", "GET / HTTP/1.1\r\nA: b\x7f", "GET / HTTP/1.1\r\nA: b\rc",
        "\r\n\r\n\r\n\r\n\r"}) {
    parser.Reset({});
    EXPECT_EQ(parser.Parse(bytes.substr(0, bytes.size() - 1), &head), ParseResult::kNeedMore)
        << bytes;
    EXPECT_EQ(parser.Parse(bytes, &head), ParseResult::kError) << bytes;
  }
}

TEST(RequestParserTest, LeavesTheNextRequestAlone) {
  const std::string_view first = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string both = std::string(first) + "\x01 no request";
  RequestParser parser;
  RequestHead head;
  parser.Reset({.head_bytes = static_cast<uint32_t>(first.size())});
  ASSERT_EQ(parser.Parse(both, &head), ParseResult::kDone);
  EXPECT_EQ(parser.consumed(), first.size());
  parser.Reset({.head_bytes = static_cast<uint32_t>(first.size()) - 1});
  EXPECT_EQ(parser.Parse(both, &head), ParseResult::kError);
  EXPECT_EQ(parser.error(), ParseError::kHeadTooLarge);
}

TEST(RequestParserTest, TellsWhetherARequestHasBegun) {
  RequestParser parser;
  RequestHead head;
  parser.Reset({});
  EXPECT_EQ(parser.Parse("\r\n\r", &head), ParseResult::kNeedMore);
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.Parse("\r\n\r\nG", &head), ParseResult::kNeedMore);
  EXPECT_TRUE(parser.started());
}

}  // namespace
}  // namespace sluice::http
