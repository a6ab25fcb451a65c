#include "dataplane/tls/client_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "dataplane/tls/test_certificates.h"
#include "dataplane/tls/test_handshake.h"

namespace sluice::tls {
namespace {

using testing::CertificateSpec;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Shake;
using testing::TestCertificate;

class ClientIdentityTest : public ::testing::Test {
 protected:
  ClientIdentity Identify(const CertificateSpec& spec, std::vector<std::string> server_names = {}) {
    server_names.push_back("DNS:a.example");
    const auto site =
        TestCertificate(CertificateSpec{.subject = "site", .names = server_names}, &ca_)
            .Resource("site");
    const auto own = TestCertificate(spec, &ca_).Resource("own");
    v1::ClientAuth auth;
    auth.set_ca_pem(ca_.pem());
    const auto server =
        *ServerContext::Make({.service = "web", .certificates = {&site}, .client_auth = &auth});
    const auto client = *ClientContext::Make({.ca_pem = ca_.pem(), .client_certificate = &own});
    const auto outcome = Shake(client->NewSession("a.example"), server->NewSession());
    EXPECT_NE(outcome.identity, nullptr) << outcome.server_error;
    return outcome.identity != nullptr ? *outcome.identity : ClientIdentity{};
  }

  const TestCertificate ca_{CertificateSpec{.subject = "ca", .ca = true}};
};

TEST_F(ClientIdentityTest, TellsHashSubjectAndNames) {
  const ClientIdentity identity =
      Identify({.subject = "alice",
                .names = {"URI:spiffe://example/alice", "DNS:alice.example", "DNS:a2.example",
                          "IP:127.0.0.1"}});
  EXPECT_EQ(identity.subject, "CN=alice");
  EXPECT_THAT(identity.forwarded,
              MatchesRegex("Hash=[0-9a-f]+;Subject=\"CN=alice\";URI=spiffe://example/alice;"
                           "DNS=alice.example;DNS=a2.example"));
  EXPECT_EQ(identity.forwarded.find(';'), std::string("Hash=").size() + 64);
}

TEST_F(ClientIdentityTest, BeginsWithWhomItWasSaidTo) {
  EXPECT_THAT(Identify({.subject = "alice"}, {"URI:spiffe://example/proxy"}).forwarded,
              MatchesRegex("By=spiffe://example/proxy;Hash=.*"));
}

// What RFC 2253 escapes with a backslash must not come undone when the quotes are taken off.
TEST_F(ClientIdentityTest, NobodyCanNameThemselvesOutOfTheQuotes) {
  const ClientIdentity identity = Identify({.subject = "x\",OU=admin;URI=spiffe://root"});
  EXPECT_EQ(identity.subject, "CN=x\\\"\\,OU=admin\\;URI=spiffe://root");
  EXPECT_THAT(identity.forwarded,
              HasSubstr(";Subject=\"CN=x\\\\\\\"\\\\,OU=admin\\\\;URI=spiffe://root\""));
  EXPECT_THAT(Identify({.names = {"URI:spiffe://a;Subject=root"}}).forwarded,
              HasSubstr(";URI=\"spiffe://a;Subject=root\""));
}

TEST_F(ClientIdentityTest, IsPrintableAscii) {
  const ClientIdentity identity = Identify({.subject = "J\xC3\xBCrgen\r\nX-Evil: 1"});
  EXPECT_EQ(identity.subject, "CN=J\\C3\\BCrgen\\0D\\0AX-Evil: 1");
  for (const char c : identity.forwarded) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << int{c};
  // A name that has no place in a field is left out.
  const ClientIdentity named = Identify({.names = {"DNS:b\xC3\xBC.example", "DNS:c.example"}});
  EXPECT_THAT(named.forwarded, Not(HasSubstr("DNS=b")));
  EXPECT_THAT(named.forwarded, HasSubstr(";DNS=c.example"));
}

TEST_F(ClientIdentityTest, HasABound) {
  CertificateSpec spec{.subject = "many"};
  for (int i = 0; i < 500; ++i) {
    spec.names.push_back("DNS:name-" + std::to_string(i) + ".example");
  }
  const std::string forwarded = Identify(spec).forwarded;
  EXPECT_LE(forwarded.size(), ClientIdentity::kForwardedBytesMax);
  EXPECT_THAT(forwarded, HasSubstr("Subject=\"CN=many\";DNS=name-0.example;DNS=name-1.example"));
}

}  // namespace
}  // namespace sluice::tls
