#include "dataplane/http/hop_by_hop.h"

#include <gtest/gtest.h>

#include "dataplane/http/h1_parser.h"

namespace sluice::http {
namespace {

// The names, separated by spaces, of the fields of a request that are forwarded.
std::string Forwarded(const std::string& fields) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a.test\r\n" + fields + "\r\n";
  RequestParser parser;
  RequestHead head;
  parser.Reset({});
  EXPECT_EQ(parser.Parse(bytes, &head), ParseResult::kDone) << bytes;
  std::string names;
  for (const Field& field : head.fields) {
    if (IsForwardable(head, field)) names.append(field.name).append(" ");
  }
  return names;
}

TEST(HopByHopTest, FieldsOfTheHopStayBehind) {
  EXPECT_EQ(Forwarded("Connection: close\r\nKeep-Alive: timeout=9\r\nProxy-Connection: x\r\n"
                      "TE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
                      "Proxy-Authenticate: Basic\r\nProxy-Authorization: Basic QQ==\r\n"
                      "Transfer-Encoding: chunked\r\n"),
            "Host ");
  EXPECT_EQ(Forwarded("Accept: */*\r\nX: 1\r\nCookie: a=b\r\n"), "Host Accept X Cookie ");
}

TEST(HopByHopTest, FieldsThatConnectionNamesStayBehind) {
  EXPECT_EQ(Forwarded("X-A: 1\r\nConnection: x-a,\tclose , X-B\r\nX-B: 1\r\nX-C: 1\r\nx-a: 2\r\n"),
            "Host X-C ");
  EXPECT_EQ(Forwarded("Connection: close\r\nConnection: X-A\r\nX-A: 1\r\nX-AA: 1\r\nX: 1\r\n"),
            "Host X-AA X ");
  EXPECT_EQ(Forwarded("Connection: User-Agent\r\nUser-Agent: x\r\n"), "Host ");
}

TEST(HopByHopTest, ConnectionCannotTakeAwayWhatIsNotTheSenders) {
  EXPECT_EQ(Forwarded("Connection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Proto, "
                      "X-Forwarded-Port, X-Request-Id, Authorization, Cookie, Forwarded, "
                      "X-Real-IP\r\n"
                      "Content-Length: 3\r\nX-Forwarded-For: 1\r\nX-Forwarded-Proto: https\r\n"
                      "X-Forwarded-Port: 1\r\nX-Request-ID: 1\r\nAuthorization: x\r\nCookie: a\r\n"
                      "Forwarded: for=x\r\nX-Real-IP: 1\r\n"),
            "Host Content-Length X-Forwarded-For X-Forwarded-Proto X-Forwarded-Port X-Request-ID "
            "Authorization Cookie Forwarded X-Real-IP ");
}

TEST(HopByHopTest, NamesThatPassForOthersStayBehind) {
  EXPECT_EQ(Forwarded("Transfer_Encoding: chunked\r\nX_Forwarded-For: 1\r\nX_Other: 1\r\n"),
            "Host X_Other ");
}

TEST(HopByHopTest, ResponsesObeyTheSameRules) {
  const std::string bytes =
      "HTTP/1.1 200 OK\r\nConnection: X-A, Set-Cookie\r\nX-A: 1\r\nSet-Cookie: a\r\nX-B: 1\r\n"
      "Keep-Alive: timeout=5\r\n\r\n";
  ResponseParser parser;
  ResponseHead head;
  parser.Reset({}, Method::kGet);
  ASSERT_EQ(parser.Parse(bytes, &head), ParseResult::kDone);
  std::string names;
  for (const Field& field : head.fields) {
    if (IsForwardable(head, field)) names.append(field.name).append(" ");
  }
  EXPECT_EQ(names, "Set-Cookie X-B ");
}

}  // namespace
}  // namespace sluice::http
