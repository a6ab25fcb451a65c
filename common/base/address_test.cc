#include "common/base/address.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace sluice::base {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const absl::Status& status) { return std::string(status.message()); }

TEST(HostPortTest, AcceptsNamesAndAddresses) {
  EXPECT_EQ(*ParseHostPort("10.0.0.1:80"), (HostPort{"10.0.0.1", 80}));
  EXPECT_EQ(*ParseHostPort("[::1]:65535"), (HostPort{"::1", 65535}));
  EXPECT_EQ(*ParseHostPort("controller.internal:7400"), (HostPort{"controller.internal", 7400}));
  EXPECT_EQ(*ParseHostPort("0.0.0.0:0"), (HostPort{"0.0.0.0", 0}));
}

TEST(HostPortTest, RefusesTheRestWithARemedy) {
  EXPECT_THAT(ErrorOf(ParseHostPort("10.0.0.1").status()), HasSubstr("port is missing"));
  EXPECT_THAT(ErrorOf(ParseHostPort("::1:80").status()), HasSubstr("brackets"));
  EXPECT_THAT(ErrorOf(ParseHostPort("[::1]").status()), HasSubstr("port is missing"));
  EXPECT_THAT(ErrorOf(ParseHostPort(":80").status()), HasSubstr("host is missing"));
  for (const char* text : {"a:", "a:65536", "a:-1", "a:+1", "a: 1", "a:1 ", "a:0x1", "[::1:80",
                           "[a]:80", "[]:80", "[::1]80", "[1.2.3.4]:80", "", "a:99999999999"}) {
    EXPECT_FALSE(ParseHostPort(text).ok()) << text;
  }
}

TEST(HostPortTest, FormatsWithBracketsWhereNeeded) {
  EXPECT_EQ(FormatHostPort("10.0.0.1", 80), "10.0.0.1:80");
  EXPECT_EQ(FormatHostPort("::1", 80), "[::1]:80");
}

TEST(IpTest, IsStrict) {
  EXPECT_TRUE(IsIpAddress("10.0.0.1"));
  EXPECT_TRUE(IsIpAddress("fe80::1"));
  EXPECT_TRUE(IsIpAddress("::ffff:10.0.0.1"));
  for (const char* text : {"", "10.0.0", "010.0.0.1", "256.0.0.1", "10.0.0.1 ", "[::1]", "a", ":",
                           "fe80::1%lo", "1.2.3.4.5"}) {
    EXPECT_FALSE(IsIpAddress(text)) << text;
  }
  EXPECT_FALSE(IsIpAddress(std::string_view("10.0.0.1\0x", 10)));
  EXPECT_FALSE(IsIpAddress(std::string(1000, '1')));
}

TEST(ResolveNumericTest, BuildsAddressesForBothFamilies) {
  const auto v4 = ResolveNumeric("127.0.0.3:8080");
  ASSERT_TRUE(v4.ok()) << v4.status();
  EXPECT_EQ(v4->family(), AF_INET);
  EXPECT_EQ(v4->length, sizeof(sockaddr_in));
  EXPECT_EQ(v4->port(), 8080);
  EXPECT_TRUE(v4->is_loopback());
  EXPECT_EQ(v4->ToString(), "127.0.0.3:8080");

  auto v6 = ResolveNumeric("[::1]:443");
  ASSERT_TRUE(v6.ok()) << v6.status();
  EXPECT_EQ(v6->family(), AF_INET6);
  EXPECT_EQ(v6->length, sizeof(sockaddr_in6));
  EXPECT_TRUE(v6->is_loopback());
  v6->set_port(444);
  EXPECT_EQ(v6->ToString(), "[::1]:444");
  EXPECT_EQ(v6->Ip(), "::1");

  EXPECT_TRUE(ResolveNumeric("0.0.0.0:1")->is_unspecified());
  EXPECT_TRUE(ResolveNumeric("[::]:1")->is_unspecified());
  EXPECT_FALSE(ResolveNumeric("10.0.0.1:1")->is_unspecified());
  EXPECT_FALSE(ResolveNumeric("10.0.0.1:1")->is_loopback());
}

TEST(ResolveNumericTest, NamesAreRefusedAndTheErrorSaysSo) {
  EXPECT_THAT(ErrorOf(ResolveNumeric("users.internal:80").status()),
              HasSubstr("a name is not supported yet; give an IP address"));
  EXPECT_THAT(ErrorOf(ResolveNumeric("10.0.0.256:80").status()), HasSubstr("not an IP address"));
}

TEST(FormatAddressTest, MappedAddressesAppearAsV4) {
  const auto mapped = ResolveNumeric("[::ffff:10.1.2.3]:80");
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->ToString(), "10.1.2.3:80");
  EXPECT_EQ(FormatIp(mapped->get()), "10.1.2.3");
  sockaddr local{};
  local.sa_family = AF_UNIX;
  EXPECT_EQ(FormatAddress(&local), "unknown");
}

TEST(CidrTest, ContainsWhatTheMaskSays) {
  const Cidr block = *Cidr::Parse("10.1.0.0/20");
  EXPECT_TRUE(block.Contains("10.1.0.0"));
  EXPECT_TRUE(block.Contains("10.1.15.255"));
  EXPECT_FALSE(block.Contains("10.1.16.0"));
  EXPECT_FALSE(block.Contains("10.0.255.255"));
  EXPECT_TRUE(block.Contains("::ffff:10.1.2.3"));
  EXPECT_FALSE(block.Contains("::10.1.2.3"));
  EXPECT_FALSE(block.Contains("nonsense"));
  EXPECT_TRUE(block.Contains(ResolveNumeric("10.1.2.3:1")->get()));
  EXPECT_TRUE(block.Contains(ResolveNumeric("[::ffff:10.1.2.3]:1")->get()));
}

TEST(CidrTest, EdgesOfTheMask) {
  EXPECT_TRUE(Cidr::Parse("0.0.0.0/0")->Contains("255.1.2.3"));
  EXPECT_FALSE(Cidr::Parse("0.0.0.0/0")->Contains("fe80::1"));
  EXPECT_TRUE(Cidr::Parse("::/0")->Contains("255.1.2.3"));
  EXPECT_TRUE(Cidr::Parse("127.0.0.1")->Contains("127.0.0.1"));
  EXPECT_FALSE(Cidr::Parse("127.0.0.1")->Contains("127.0.0.2"));
  EXPECT_TRUE(Cidr::Parse("fd00::/9")->Contains("fd7f::1"));
  EXPECT_FALSE(Cidr::Parse("fd00::/9")->Contains("fd80::1"));
  EXPECT_TRUE(Cidr::Parse("::ffff:10.0.0.0/104")->Contains("10.9.9.9"));
}

TEST(CidrTest, RefusesTheRest) {
  for (const char* text : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
                           "::/129", "10.0.0/8", "10.0.0.0/8/8", "example.com", "10.0.0.0/8 "}) {
    EXPECT_FALSE(Cidr::Parse(text).ok()) << text;
  }
  EXPECT_THAT(ErrorOf(Cidr::Parse("10.1.2.3/8").status()), HasSubstr("write 10.0.0.0/8"));
}

}  // namespace
}  // namespace sluice::base
