#include "dataplane/exchange/client_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace sluice::exchange {
namespace {

ClientAddress Find(std::string_view peer, const std::vector<std::string>& forwarded_for) {
  static const std::vector<base::Cidr> trusted = {*base::Cidr::Parse("10.0.0.0/8"),
                                                  *base::Cidr::Parse("fd00::/8")};
  http::RequestHead head;
  for (const std::string& value : forwarded_for) {
    head.fields.push_back({"X-Forwarded-For", value, http::FieldId::kXForwardedFor});
  }
  return FindClientAddress(peer, *base::ParseIp(peer), head, trusted);
}

TEST(ClientAddressTest, AnUntrustedPeerIsTheClientWhateverItClaims) {
  const ClientAddress client = Find("192.0.2.1", {"198.51.100.7"});
  EXPECT_EQ(client.ip, "192.0.2.1");
  EXPECT_FALSE(client.peer_trusted);
}

TEST(ClientAddressTest, TrustedHopsAreWalkedBackToTheFirstUntrusted) {
  EXPECT_EQ(Find("10.0.0.1", {"198.51.100.7, 203.0.113.9, 10.0.0.2"}).ip, "203.0.113.9");
  EXPECT_EQ(Find("10.0.0.1", {"1.1.1.1", "203.0.113.9 , 10.0.0.2"}).ip, "203.0.113.9");
  EXPECT_EQ(Find("fd00::1", {"2001:db8::5"}).ip, "2001:db8::5");
  EXPECT_TRUE(Find("10.0.0.1", {}).peer_trusted);
}

TEST(ClientAddressTest, AListOfTrustedHopsOnlyGivesItsFirst) {
  EXPECT_EQ(Find("10.0.0.1", {"10.0.0.3", "10.0.0.2"}).ip, "10.0.0.3");
}

TEST(ClientAddressTest, NothingBeforeGarbageIsBelieved) {
  EXPECT_EQ(Find("10.0.0.1", {"198.51.100.7, unknown, 10.0.0.2"}).ip, "10.0.0.2");
  EXPECT_EQ(Find("10.0.0.1", {"<script>"}).ip, "10.0.0.1");
}

// A listener on loopback; enough to have an address of its own.
class ClientEndsTest : public testing::Test {
 protected:
  ClientEndsTest() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const auto loopback = base::ResolveNumeric("127.0.0.1:0");
    EXPECT_EQ(bind(fd_, loopback->get(), loopback->length), 0);
    base::SocketAddress bound;
    bound.length = sizeof bound.storage;
    EXPECT_EQ(getsockname(fd_, bound.get(), &bound.length), 0);
    port_ = bound.port();
    request_.peer_ip = "10.0.0.1";
    request_.peer = *base::ParseIp("10.0.0.1");
    request_.peer_port = 4321;
    request_.client_fd = fd_;
  }
  ~ClientEndsTest() override { close(fd_); }

  const int fd_;
  uint16_t port_ = 0;
  IncomingRequest request_;
};

TEST_F(ClientEndsTest, APeerThatIsTheClientHasItsPort) {
  const proxyproto::ConnectionEnds ends = FindClientEnds({.ip = "10.0.0.1"}, request_);
  EXPECT_EQ(ends.source, *base::ParseIp("10.0.0.1"));
  EXPECT_EQ(ends.source_port, 4321);
  EXPECT_EQ(ends.destination, *base::ParseIp("127.0.0.1"));
  EXPECT_EQ(ends.destination_port, port_);
}

TEST_F(ClientEndsTest, AClientBehindHopsHasNone) {
  const proxyproto::ConnectionEnds ends = FindClientEnds({.ip = "2001:db8::5"}, request_);
  EXPECT_EQ(ends.source, *base::ParseIp("2001:db8::5"));
  EXPECT_EQ(ends.source_port, 0);
  EXPECT_EQ(ends.destination_port, port_);
}

}  // namespace
}  // namespace sluice::exchange
