// The catalogue of hostile and odd requests, as far as their heads show it; ids are the
// catalogue's.
#include <gtest/gtest.h>

#include "dataplane/http/feed_for_test.h"

namespace sluice::http {
namespace {

using std::string_view_literals::operator""sv;

struct Case {
  const char* id;
  std::string_view bytes;
  const char* expected;  // Without the length of the head.
};

constexpr Case kCases[] = {
    // h1-framing
    {"cl-te-both",
     "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"sv,
     "error BothLengthAndEncoding"},
    {"te-cl-both",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
     "Content-Length: 4\r\n\r\n28\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
     "\r\n0\r\n\r\n"sv,
     "error BothLengthAndEncoding"},
    {"te-te-dup",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"te-te-cow",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
     "Transfer-Encoding: cow\r\n\r\n0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"te-chunked-twice-list",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"
     "0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"te-not-final",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"
     "0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"te-gzip-only",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip\r\n\r\n"
     "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "error UnknownTransferCoding"},
    {"te-xchunked-plus-cl",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\n"
     "Content-Length: 5\r\n\r\n0\r\n\r\n"sv,
     "error UnknownTransferCoding"},
    {"te-identity",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: identity\r\n"
     "Content-Length: 3\r\n\r\nabc"sv,
     "error UnknownTransferCoding"},
    {"te-params",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n"
     "\r\n"sv,
     "error BadTransferEncoding"},
    {"te-leading-comma",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n"
     "\r\n"sv,
     "error BadTransferEncoding"},
    {"te-leading-comma-cl",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: ,chunked\r\n"
     "Content-Length: 5\r\n\r\n0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"te-vtab",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: \013chunked\r\n\r\n0\r\n"
     "\r\n"sv,
     "error BadField"},
    {"te-ff",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: \014chunked\r\n\r\n0\r\n"
     "\r\n"sv,
     "error BadField"},
    {"te-nul-suffix",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\000\r\n\r\n0\r\n"
     "\r\n"sv,
     "error BadField"},
    {"te-xa0",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: \240chunked\240\r\n\r\n"
     "0\r\n\r\n"sv,
     "error BadTransferEncoding"},
    {"te-tab-before-colon",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding\011: chunked\r\n"
     "Content-Length: 3\r\n\r\nabc"sv,
     "error BadField"},
    {"te-obs-fold",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\r\n chunked\r\n"
     "Content-Length: 3\r\n\r\nabc"sv,
     "error BadTransferEncoding"},
    {"te-underscore",
     "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer_Encoding: chunked\r\n"
     "Content-Length: 3\r\n\r\nabc"sv,
     "POST / 1.1 length=3 keep-alive has-length host=a.test [Host=a.test] "
     "[Transfer_Encoding=chunked] [Content-Length=3]"},
    {"cl-list-diff", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5, 6\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-plus", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +5\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-hex", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0x5\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-inner-space", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1 0\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-alpha", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5a\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-dot", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5.0\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-overflow64",
     "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 18446744073709551617\r\n"
     "\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-list-same", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5, 5\r\n\r\nabcde"sv,
     "error BadContentLength"},
    {"cl-empty-then-valid",
     "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: \r\nContent-Length: 40\r\n"
     "\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "error BadContentLength"},
    {"cl-leading-zero", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 005\r\n\r\nabcde"sv,
     "POST / 1.1 length=5 keep-alive has-length host=a.test [Host=a.test] [Content-Length=005]"},
    {"cl-sp-name-prefix", "POST / HTTP/1.1\r\n Content-Length: 5\r\nHost: a.test\r\n\r\nabcde"sv,
     "error BadField"},
    {"options-body",
     "OPTIONS / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n"
     "abcGET /b HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "OPTIONS / 1.1 length=3 keep-alive has-length host=a.test [Host=a.test] [Content-Length=3]"},
    {"body-short-then-fin", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc"sv,
     "POST / 1.1 length=10 keep-alive has-length host=a.test [Host=a.test] [Content-Length=10]"},
    // h1-syntax
    {"bare-lf-request-line", "GET / HTTP/1.1\nHost: a.test\r\n\r\n"sv, "error BadRequestLine"},
    {"bare-cr-value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\rb\r\n\r\n"sv, "error BadField"},
    {"cr-smuggle-name",
     "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n"sv,
     "error BadField"},
    {"nul-value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\000b\r\n\r\n"sv, "error BadField"},
    {"nul-host", "GET / HTTP/1.1\r\nHost: a.test\000.evil\r\n\r\n"sv, "error BadField"},
    {"ctl-value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\001b\r\n\r\n"sv, "error BadField"},
    {"del-value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\177b\r\n\r\n"sv, "error BadField"},
    {"obs-fold", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n"sv, "error BadField"},
    {"sp-before-first-field", "GET / HTTP/1.1\r\n X: y\r\nHost: a.test\r\n\r\n"sv,
     "error BadField"},
    {"empty-name", "GET / HTTP/1.1\r\nHost: a.test\r\n: x\r\n\r\n"sv, "error BadField"},
    {"no-colon", "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length 5\r\n\r\n"sv, "error BadField"},
    {"name-bad-char", "GET / HTTP/1.1\r\nHost: a.test\r\nX(1): y\r\n\r\n"sv, "error BadField"},
    {"name-nonascii", "GET / HTTP/1.1\r\nHost: a.test\r\n\357X: y\r\n\r\n"sv, "error BadField"},
    {"line-double-sp", "GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadTarget"},
    {"line-tab-sep", "GET\011/ HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadMethod"},
    {"line-http09", "GET /\r\nHost: a.test\r\n\r\n"sv, "error BadRequestLine"},
    {"line-ver-12", "GET / HTTP/1.10\r\nHost: a.test\r\n\r\n"sv, "error BadVersion"},
    {"line-ver-lower", "GET / http/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadVersion"},
    {"line-ver-junk", "GET / HTTP/1.1x\r\nHost: a.test\r\n\r\n"sv, "error BadVersion"},
    {"line-method-brackets", "G[E]T / HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadMethod"},
    {"line-fragment", "GET /a#b HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadTarget"},
    {"line-nul-target", "GET /\000 HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadTarget"},
    {"line-relative-target", "GET admin HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadTarget"},
    {"line-star-get", "GET * HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadTarget"},
    {"line-bad-pct", "GET /%zz HTTP/1.1\r\nHost: a.test\r\n\r\n"sv, "error BadTarget"},
    {"ver-20-in-h1", "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n"sv, "error UnsupportedVersion"},
    {"options-star-ok", "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "OPTIONS * 1.1 none keep-alive host=a.test [Host=a.test]"},
    {"binary-garbage", "\026\003\001\000\245\001\000\000\241\003\003"sv, "error BadMethod"},
    // host-target
    {"host-dup", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n"sv, "error BadHost"},
    {"host-dup-same", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n"sv, "error BadHost"},
    {"host-path", "GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n"sv, "error BadHost"},
    {"host-port-alpha", "GET / HTTP/1.1\r\nHost: a.test:8x\r\n\r\n"sv, "error BadHost"},
    {"host-port-big", "GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n"sv, "error BadHost"},
    {"host-bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"sv, "error BadHost"},
    {"host-empty", "GET / HTTP/1.1\r\nHost: \r\n\r\n"sv, "error BadHost"},
    {"host-case-port-ok", "GET / HTTP/1.1\r\nHost: A.TEST:80\r\n\r\n"sv,
     "GET / 1.1 none keep-alive host=A.TEST:80 [Host=A.TEST:80]"},
    {"abs-form-userinfo", "GET http://u:p@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "error BadTarget"},
    {"abs-form-other-scheme", "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "error BadTarget"},
    {"connect-default-off",
     "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
     "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "CONNECT a.test:443 1.1 none keep-alive host=a.test:443 [Host=a.test:443]"},
    {"http10-no-host", "GET / HTTP/1.0\r\n\r\n"sv, "GET / 1.0 none host="},
    // upgrade-expect
    {"expect-obfuscated",
     "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: y 100-continue\r\n"
     "Content-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "error BadExpect"},
    {"expect-early-final",
     "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
     "Content-Length: 40\r\n\r\n"sv,
     "POST / 1.1 length=40 keep-alive has-length expect host=a.test [Host=a.test] "
     "[Expect=100-continue] [Content-Length=40]"},
    {"expect-get",
     "GET / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n"
     "GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "GET / 1.1 none keep-alive expect host=a.test [Host=a.test] [Expect=100-continue]"},
    {"upgrade-unknown-pipelined",
     "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"
     "GET /admin HTTP/1.1\r\nHost: a.test\r\n\r\n"sv,
     "GET / 1.1 none keep-alive upgrade host=a.test [Host=a.test] [Connection=Upgrade] "
     "[Upgrade=foo]"},
    {"upgrade-h2c-stripped",
     "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
     "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"sv,
     "GET / 1.1 none keep-alive upgrade names-fields host=a.test [Host=a.test] "
     "[Connection=Upgrade, HTTP2-Settings] [Upgrade=h2c] "
     "[HTTP2-Settings=AAMAAABkAARAAAAAAAIAAAAA]"},
    {"ws-early-frames",
     "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\201\200\000\000\000\000"sv,
     "GET /ws 1.1 none keep-alive upgrade host=a.test [Host=a.test] [Connection=keep-alive, "
     "Upgrade] [Upgrade=websocket] [Sec-WebSocket-Version=13] "
     "[Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==]"},
    {"ws-no-key",
     "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"sv,
     "GET /ws 1.1 none keep-alive upgrade host=a.test [Host=a.test] [Connection=Upgrade] "
     "[Upgrade=websocket] [Sec-WebSocket-Version=13]"},
    {"ws-post",
     "POST /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n\r\n"sv,
     "POST /ws 1.1 none keep-alive has-length upgrade host=a.test [Host=a.test] "
     "[Connection=keep-alive, Upgrade] [Upgrade=websocket] [Sec-WebSocket-Version=13] "
     "[Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==] [Content-Length=0]"},
    {"ws-with-body",
     "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 5\r\n\r\nabcde"sv,
     "GET /ws 1.1 length=5 keep-alive has-length upgrade host=a.test [Host=a.test] "
     "[Connection=keep-alive, Upgrade] [Upgrade=websocket] [Sec-WebSocket-Version=13] "
     "[Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==] [Content-Length=5]"},
    {"ws-without-connection",
     "GET /ws HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
     "\r\n"sv,
     "GET /ws 1.1 none keep-alive host=a.test [Host=a.test] [Upgrade=websocket] "
     "[Sec-WebSocket-Version=13] [Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==]"},
    {"ws-bad-accept",
     "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"sv,
     "GET /ws 1.1 none keep-alive upgrade host=a.test [Host=a.test] [Connection=keep-alive, "
     "Upgrade] [Upgrade=websocket] [Sec-WebSocket-Version=13] "
     "[Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==]"},
    {"ws-survives-config-push",
     "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\n"
     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"sv,
     "GET /ws 1.1 none keep-alive upgrade host=a.test [Host=a.test] [Connection=keep-alive, "
     "Upgrade] [Upgrade=websocket] [Sec-WebSocket-Version=13] "
     "[Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==]"},
};

// "done 54: GET ..." becomes "GET ...".
std::string WithoutLength(const std::string& outcome) {
  return outcome.starts_with("done ") ? outcome.substr(outcome.find(": ") + 2) : outcome;
}

TEST(SecurityRequestTest, CasesComeToTheSameHoweverTheyArrive) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.id);
    const std::string whole = FeedRequest(c.bytes);
    EXPECT_EQ(WithoutLength(whole), c.expected);
    EXPECT_EQ(FeedRequest(c.bytes, EveryByte(c.bytes.size())), whole);
    for (const size_t end : EveryByte(c.bytes.size())) {
      EXPECT_EQ(FeedRequest(c.bytes, std::span(&end, 1)), whole) << end;
    }
  }
}

std::string Repeat(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all.append(text);
  return all;
}

TEST(SecurityRequestTest, FloodsEndAtTheirLimits) {
  const std::string leading_crlf = Repeat("\r\n", 1000) + "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
  const std::string long_target =
      "GET /" + std::string(70'000, 'a') + " HTTP/1.1\r\nHost: a.test\r\n\r\n";
  const std::string many_headers =
      "GET / HTTP/1.1\r\nHost: a.test\r\n" + Repeat("X: a\r\n", 5000) + "\r\n";
  const std::string long_value =
      "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + std::string(1'000'000, 'a') + "\r\n\r\n";
  EXPECT_EQ(FeedRequest(leading_crlf), "error BadRequestLine");
  EXPECT_EQ(FeedRequest(long_target), "error TargetTooLong");
  EXPECT_EQ(FeedRequest(many_headers), "error TooManyFields");
  EXPECT_EQ(FeedRequest(long_value), "error HeadTooLarge");
  // In pieces they end no later, and for the same reason.
  for (const std::string* bytes : {&leading_crlf, &long_target, &many_headers, &long_value}) {
    std::vector<size_t> ends;
    for (size_t end = 1000; end < bytes->size(); end += 1000) ends.push_back(end);
    EXPECT_EQ(FeedRequest(*bytes, ends), FeedRequest(*bytes));
  }
}

}  // namespace
}  // namespace sluice::http
