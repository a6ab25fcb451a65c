#include "dataplane/tls/client_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dataplane/tls/test_certificates.h"
#include "dataplane/tls/test_handshake.h"

namespace sluice::tls {
namespace {

using testing::CertificateSpec;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::Shake;
using testing::TestCertificate;

v1::ClientAuth Auth(const TestCertificate& ca, v1::ClientAuth::Mode mode = v1::ClientAuth::REQUIRED,
                    const std::string& more = "") {
  v1::ClientAuth auth;
  auth.set_mode(mode);
  auth.set_ca_pem(ca.pem() + more);
  return auth;
}

class ClientAuthTest : public ::testing::TestWithParam<int> {
 protected:
  v1::Certificate Client(const std::string& name, long not_after_seconds = 3600) {
    CertificateSpec spec{.subject = name, .not_after_seconds = not_after_seconds};
    return TestCertificate(spec, &clients_ca_).Resource(name);
  }

  std::shared_ptr<const ServerContext> Server(const v1::ClientAuth* auth,
                                              const std::string& service = "web") {
    ServerContextOptions options{
        .service = service, .certificates = {&first_, &site_}, .client_auth = auth};
    options.ticket_keys = &keys_;
    auto made = ServerContext::Make(options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }

  std::shared_ptr<const ClientContext> ClientWith(const v1::Certificate* certificate) {
    ClientOptions options{.ca_pem = ca_.pem(), .client_certificate = certificate};
    return *ClientContext::Make(options);
  }

  Outcome Connect(const std::shared_ptr<const ClientContext>& client,
                  const std::shared_ptr<const ServerContext>& server) {
    SslPtr session = client->NewSession("a.example");
    SSL_set_max_proto_version(session.get(), GetParam());
    return Shake(std::move(session), server->NewSession());
  }
  Outcome Connect(const v1::Certificate* certificate, const v1::ClientAuth& auth) {
    return Connect(ClientWith(certificate), Server(&auth));
  }

  const TestCertificate ca_{CertificateSpec{.subject = "ca", .ca = true}};
  const TestCertificate clients_ca_{CertificateSpec{.subject = "clients", .ca = true}};
  const v1::Certificate first_ =
      TestCertificate(CertificateSpec{.subject = "first", .names = {"DNS:first.example"}}, &ca_)
          .Resource("first");
  // Not the default one: what is asked of clients must not depend on the name they ask for.
  const v1::Certificate site_ =
      TestCertificate(CertificateSpec{.subject = "site", .names = {"DNS:a.example"}}, &ca_)
          .Resource("site");
  const v1::Certificate alice_ = Client("alice");
  TicketKeys keys_;
};

TEST_P(ClientAuthTest, RequiredLetsInOnlyWhoIsVerified) {
  const v1::ClientAuth auth = Auth(clients_ca_);
  const Outcome good = Connect(&alice_, auth);
  EXPECT_TRUE(good.server_done) << good.server_error;
  ASSERT_NE(good.identity, nullptr);
  EXPECT_EQ(good.identity->subject, "CN=alice");

  EXPECT_THAT(Connect(nullptr, auth).server_error, HasSubstr("did not return a certificate"));
  const TestCertificate stranger{CertificateSpec{.subject = "stranger"}};
  const auto self_signed = stranger.Resource("stranger");
  EXPECT_THAT(Connect(&self_signed, auth).server_error, HasSubstr("certificate verify failed"));
  const auto elsewhere =
      TestCertificate(CertificateSpec{.subject = "elsewhere"}, &ca_).Resource("elsewhere");
  EXPECT_THAT(Connect(&elsewhere, auth).server_error, HasSubstr("certificate verify failed"));
  const auto expired = Client("expired", -60);
  EXPECT_THAT(Connect(&expired, auth).server_error, HasSubstr("certificate has expired"));
}

TEST_P(ClientAuthTest, OptionalLetsInNobodyWithABadCertificate) {
  const v1::ClientAuth auth = Auth(clients_ca_, v1::ClientAuth::OPTIONAL);
  const Outcome none = Connect(nullptr, auth);
  EXPECT_TRUE(none.server_done) << none.server_error;
  EXPECT_EQ(none.identity, nullptr);
  const Outcome good = Connect(&alice_, auth);
  ASSERT_NE(good.identity, nullptr);
  EXPECT_EQ(good.identity->subject, "CN=alice");
  const auto expired = Client("expired", -60);
  EXPECT_THAT(Connect(&expired, auth).server_error, HasSubstr("certificate has expired"));
}

TEST_P(ClientAuthTest, ModesOfANewerControllerAreTheStricter) {
  v1::ClientAuth auth = Auth(clients_ca_);
  auth.set_mode(static_cast<v1::ClientAuth::Mode>(7));
  EXPECT_FALSE(Connect(nullptr, auth).server_done);
}

TEST_P(ClientAuthTest, NobodyIsAskedWithoutIt) {
  const Outcome outcome = Connect(ClientWith(&alice_), Server(nullptr));
  EXPECT_TRUE(outcome.server_done) << outcome.server_error;
  EXPECT_EQ(outcome.identity, nullptr);
}

TEST_P(ClientAuthTest, IntermediatesMayStandBetweenButNotManyAndNoLeafIssues) {
  const auto connect = [this](const TestCertificate& issuer, const std::string& rest) {
    const auto leaf =
        TestCertificate(CertificateSpec{.subject = "deep"}, &issuer).Resource("deep", rest);
    return Connect(&leaf, Auth(clients_ca_));
  };
  std::vector<std::unique_ptr<TestCertificate>> chain;
  const TestCertificate* issuer = &clients_ca_;
  std::string rest;
  for (int depth = 1; depth <= 5; ++depth) {
    const CertificateSpec spec{.subject = "middle" + std::to_string(depth), .ca = true};
    chain.push_back(std::make_unique<TestCertificate>(spec, issuer));
    issuer = chain.back().get();
    rest = issuer->pem() + rest;
    const Outcome outcome = connect(*issuer, rest);
    EXPECT_EQ(outcome.server_done, depth <= 4) << depth << ": " << outcome.server_error;
  }
  const TestCertificate leaf(CertificateSpec{.subject = "no-ca"}, &clients_ca_);
  EXPECT_THAT(connect(leaf, leaf.pem()).server_error, HasSubstr("certificate verify failed"));
}

TEST_P(ClientAuthTest, AResumedSessionKeepsTheIdentity) {
  const v1::ClientAuth auth = Auth(clients_ca_);
  const auto client = ClientWith(&alice_);
  EXPECT_FALSE(Connect(client, Server(&auth)).resumed);
  const Outcome again = Connect(client, Server(&auth));
  EXPECT_TRUE(again.resumed);
  ASSERT_NE(again.identity, nullptr);
  EXPECT_EQ(again.identity->subject, "CN=alice");
}

TEST_P(ClientAuthTest, TicketsAreBoundToServiceAndAuthoritiesAndMode) {
  const v1::ClientAuth required = Auth(clients_ca_);
  const v1::ClientAuth optional = Auth(clients_ca_, v1::ClientAuth::OPTIONAL);
  const TestCertificate other{CertificateSpec{.subject = "other", .ca = true}};
  const v1::ClientAuth wider = Auth(clients_ca_, v1::ClientAuth::REQUIRED, other.pem());
  const auto resumes = [this](const v1::Certificate* certificate, const auto& first,
                              const auto& second) {
    const auto client = ClientWith(certificate);
    EXPECT_TRUE(Connect(client, first).server_done);
    const Outcome outcome = Connect(client, second);
    EXPECT_TRUE(outcome.server_done) << outcome.server_error;
    return outcome.resumed;
  };
  EXPECT_TRUE(resumes(&alice_, Server(&required), Server(&required)));
  EXPECT_FALSE(resumes(&alice_, Server(&required, "web"), Server(&required, "admin")));
  EXPECT_FALSE(resumes(&alice_, Server(&required), Server(&wider)));
  EXPECT_FALSE(resumes(&alice_, Server(&optional), Server(&required)));
  EXPECT_FALSE(resumes(&alice_, Server(nullptr), Server(&required)));
  EXPECT_FALSE(resumes(&alice_, Server(&required), Server(nullptr)));
}

TEST_P(ClientAuthTest, AnOldTicketDoesNotReplaceACertificate) {
  const v1::ClientAuth required = Auth(clients_ca_);
  const v1::ClientAuth optional = Auth(clients_ca_, v1::ClientAuth::OPTIONAL);
  for (const v1::ClientAuth* before : {&optional, static_cast<const v1::ClientAuth*>(nullptr)}) {
    const auto client = ClientWith(nullptr);
    EXPECT_TRUE(Connect(client, Server(before)).server_done);
    EXPECT_FALSE(Connect(client, Server(&required)).server_done);
  }
  const TestCertificate other{CertificateSpec{.subject = "other", .ca = true}};
  const v1::ClientAuth replaced = Auth(other);
  const auto client = ClientWith(&alice_);
  EXPECT_TRUE(Connect(client, Server(&required)).server_done);
  EXPECT_FALSE(Connect(client, Server(&replaced)).server_done);
}

TEST_P(ClientAuthTest, ATicketDiesWithTheCertificateInIt) {
  const v1::ClientAuth auth = Auth(clients_ca_);
  const auto expired = Client("expired", -60);
  const auto client = ClientWith(&expired);
  SslPtr lenient = Server(&auth)->NewSession();  // As if it had been in time.
  SSL_set_verify(lenient.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX* context) {
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
  });
  SslPtr first = client->NewSession("a.example");
  SSL_set_max_proto_version(first.get(), GetParam());
  ASSERT_TRUE(Shake(std::move(first), std::move(lenient)).server_done);
  EXPECT_THAT(Connect(client, Server(&auth)).server_error, HasSubstr("certificate has expired"));
}

INSTANTIATE_TEST_SUITE_P(Versions, ClientAuthTest,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) {
                           return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

using ConnectionsTest = ClientAuthTest;

TEST_P(ConnectionsTest, StayOnlyWhereTheSameIsAskedOfClients) {
  const v1::ClientAuth required = Auth(clients_ca_);
  const v1::ClientAuth optional = Auth(clients_ca_, v1::ClientAuth::OPTIONAL);
  const auto plain = Server(nullptr);
  const auto asking = Server(&required);
  const SslPtr of_plain = plain->NewSession();
  const SslPtr of_asking = asking->NewSession();
  EXPECT_TRUE(plain->MayKeep(of_plain.get()));
  EXPECT_TRUE(plain->MayKeep(nullptr));
  EXPECT_TRUE(Server(nullptr, "renamed")->MayKeep(of_plain.get()));
  EXPECT_TRUE(Server(&required)->MayKeep(of_asking.get()));
  EXPECT_FALSE(Server(&required)->MayKeep(of_plain.get()));
  EXPECT_FALSE(Server(&required)->MayKeep(nullptr));
  EXPECT_FALSE(Server(&optional)->MayKeep(of_asking.get()));
  EXPECT_FALSE(plain->MayKeep(of_asking.get()));
}

INSTANTIATE_TEST_SUITE_P(Any, ConnectionsTest, ::testing::Values(TLS1_3_VERSION));

TEST(ClientAuthMakeTest, RefusesAuthoritiesThatCannotBeRead) {
  v1::ClientAuth auth;
  EXPECT_FALSE(ClientAuth::Make(auth).ok());  // The system's roots are not meant.
  auth.set_ca_pem("nonsense");
  EXPECT_FALSE(ClientAuth::Make(auth).ok());
}

}  // namespace
}  // namespace sluice::tls
