#include "dataplane/exchange/upstream_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/http/h1_parser.h"

namespace sluice::exchange {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class UpstreamHeadTest : public testing::Test {
 protected:
  // What goes upstream for a request as it was received.
  std::string Write(const std::string& received, bool peer_trusted = false) {
    http::RequestParser parser;
    parser.Reset({});
    EXPECT_EQ(parser.Parse(received, &head_), http::ParseResult::kDone);
    request_.head = &head_;
    request_.authority = head_.host;
    request_.query = "?q=1";
    request_.scheme = "https";
    request_.peer_ip = "192.0.2.1";
    request_.identity = identity_;
    const UpstreamHead head{.request = request_,
                            .path = "/sent",
                            .removed_prefix = "/api",
                            .host = head_.host,
                            .request_id = "id-1",
                            .traceparent = "tp-1",
                            .trace_continued = false,
                            .peer_trusted = peer_trusted};
    io::Buffer out(pool_);
    if (list_) {
      std::vector<http::Field> fields;
      ListUpstreamFields(head, &out, &fields);
      std::string text;
      for (const http::Field& field : fields) {
        text.append(field.name).append(": ").append(field.value).append("\r\n");
      }
      return text;
    }
    WriteUpstreamHead(head, &out);
    return std::string(out.view());
  }

  io::BufferPool pool_;
  http::RequestHead head_;
  IncomingRequest request_;
  bool list_ = false;  // For HTTP/2.
  const tls::ClientIdentity* identity_ = nullptr;
};

TEST_F(UpstreamHeadTest, RewritesTheTargetAndSaysWhoAsked) {
  const std::string out = Write("GET /api/sent?q=1 HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\n\r\n");
  EXPECT_THAT(out, StartsWith("GET /sent?q=1 HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Request-ID: id-1\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-For: 192.0.2.1\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-Proto: https\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-Host: a.test\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-Prefix: /api\r\n"));
  EXPECT_THAT(out, HasSubstr("traceparent: tp-1\r\n"));
  EXPECT_TRUE(out.ends_with("\r\n\r\n"));
}

TEST_F(UpstreamHeadTest, AsAListItHasTheSameFieldsButThoseOfHttp1) {
  const std::string received =
      "POST /api/sent?q=1 HTTP/1.1\r\nHost: a.test\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n"
      "TE: trailers, deflate\r\nConnection: TE\r\n\r\n";
  const std::string text = Write(received);
  list_ = true;
  const std::string list = Write(received);
  EXPECT_TRUE(list.ends_with("te: trailers\r\n")) << list;
  const std::string shared = list.substr(0, list.find("te: "));
  EXPECT_EQ(text, "POST /sent?q=1 HTTP/1.1\r\nHost: a.test\r\n" + shared +
                      "Transfer-Encoding: chunked\r\n\r\n");
}

TEST_F(UpstreamHeadTest, LeavesOutWhatEndsAtThisHopOrIsNotTheClientsToSay) {
  const std::string out = Write(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: "
      "5\r\n"
      "TE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nProxy-Connection: x\r\nForwarded: "
      "for=1.2.3.4\r\n"
      "X-Forwarded-For: 1.2.3.4\r\nX-Request-ID: forged\r\nx-sluice-cluster: admin\r\nEarly-Data: "
      "1\r\n"
      "Transfer_Encoding: chunked\r\ntracestate: a=b\r\n\r\n");
  for (const char* gone : {"X-Private", "Keep-Alive", "TE:", "h2c", "HTTP2", "Proxy-", "1.2.3.4",
                           "forged", "sluice", "Early", "Transfer_", "tracestate", "Connection"}) {
    EXPECT_THAT(out, Not(HasSubstr(gone))) << gone;
  }
}

TEST_F(UpstreamHeadTest, WhatConnectionMayNotRemoveStays) {
  const std::string out = Write(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Host, Content-Length, X-Forwarded-For, "
      "Authorization\r\n"
      "Authorization: Basic x\r\nContent-Length: 003\r\n\r\n");
  EXPECT_THAT(out, HasSubstr("Host: a\r\n"));
  EXPECT_THAT(out, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(out, HasSubstr("Authorization: Basic x\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-For: 192.0.2.1\r\n"));
}

TEST_F(UpstreamHeadTest, ATrustedPeersFieldsAreExtended) {
  const std::string out = Write(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n"
      "X-Forwarded-Proto: http\r\nX-Forwarded-Host: outer\r\nForwarded: for=1.2.3.4\r\n\r\n",
      true);
  EXPECT_THAT(out, HasSubstr("X-Forwarded-For: 1.2.3.4, 5.6.7.8, 192.0.2.1\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-Proto: http\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Forwarded-Host: outer\r\n"));
  EXPECT_THAT(out, HasSubstr("Forwarded: for=1.2.3.4\r\n"));
}

TEST_F(UpstreamHeadTest, ClientCertificatesAreToldByTrustedPeersAndByUs) {
  const std::string received =
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: Hash=forged\r\n"
      "x-forwarded-client-cert: Hash=again\r\nX_Forwarded_Client_Cert: Hash=shadow\r\n\r\n";
  EXPECT_THAT(Write(received), Not(HasSubstr("Hash=")));
  EXPECT_THAT(Write(received, true),
              HasSubstr("\r\nX-Forwarded-Client-Cert: Hash=forged,Hash=again\r\n"));
  const tls::ClientIdentity identity{.subject = "CN=a", .forwarded = "Hash=ours"};
  identity_ = &identity;
  const std::string out = Write(received);
  EXPECT_THAT(out, HasSubstr("\r\nX-Forwarded-Client-Cert: Hash=ours\r\n"));
  EXPECT_THAT(out, Not(HasSubstr("forged")));
  EXPECT_THAT(Write(received, true),
              HasSubstr("\r\nX-Forwarded-Client-Cert: Hash=forged,Hash=again,Hash=ours\r\n"));
  const std::string named =
      Write("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-client-cert\r\n\r\n");
  EXPECT_THAT(named, HasSubstr("\r\nX-Forwarded-Client-Cert: Hash=ours\r\n"));
}

TEST_F(UpstreamHeadTest, StatesTheFramingOnce) {
  EXPECT_THAT(Write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"),
              HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(Write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
              HasSubstr("Content-Length: 0\r\n"));
  EXPECT_THAT(Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Not(HasSubstr("Content-Length")));
}

}  // namespace
}  // namespace sluice::exchange
