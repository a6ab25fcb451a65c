#include "dataplane/tls/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "dataplane/tls/session_cache.h"
#include "dataplane/tls/test_certificates.h"
#include "dataplane/tls/test_handshake.h"

namespace sluice::tls {
namespace {

using testing::CertificateSpec;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::Shake;
using testing::TestCertificate;

class ContextTest : public ::testing::Test {
 protected:
  v1::Certificate Issue(const std::string& subject, std::vector<std::string> names,
                        bool rsa = false) {
    CertificateSpec spec{.subject = subject, .names = std::move(names), .rsa = rsa};
    return TestCertificate(spec, &ca_).Resource(subject);
  }

  std::shared_ptr<const ServerContext> Server(std::vector<const v1::Certificate*> certificates,
                                              const std::string& service = "web") {
    ServerContextOptions options{.service = service, .certificates = std::move(certificates)};
    options.ticket_keys = &keys_;
    return Server(options);
  }
  std::shared_ptr<const ServerContext> Server(const ServerContextOptions& options) {
    auto made = ServerContext::Make(options);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return *made;
  }
  std::shared_ptr<const ClientContext> Client() {
    ClientOptions options{.ca_pem = ca_.pem()};
    return Client(options);
  }
  std::shared_ptr<const ClientContext> Client(const ClientOptions& options) {
    auto made = ClientContext::Make(options);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return *made;
  }

  const TestCertificate ca_{CertificateSpec{.subject = "ca", .ca = true}};
  TicketKeys keys_;
};

TEST_F(ContextTest, HandshakesWithTls13Aes128AndAlpnByDefault) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  const auto server = Server({&certificate});
  const Outcome outcome = Shake(Client()->NewSession("a.example"), server->NewSession());
  EXPECT_TRUE(outcome.client_done) << outcome.client_error;
  EXPECT_TRUE(outcome.server_done) << outcome.server_error;
  EXPECT_EQ(outcome.protocol, "TLSv1.3");
  EXPECT_EQ(outcome.cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(outcome.alpn, "http/1.1");
  EXPECT_FALSE(outcome.resumed);
}

TEST_F(ContextTest, Tls12OffersOnlyForwardSecretAeadSuites) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  const auto server = Server({&certificate});
  SslPtr client = Client()->NewSession("a.example");
  SSL_set_max_proto_version(client.get(), TLS1_2_VERSION);
  const Outcome good = Shake(std::move(client), server->NewSession());
  EXPECT_EQ(good.protocol, "TLSv1.2");
  EXPECT_EQ(good.cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");

  client = Client()->NewSession("a.example");
  SSL_set_max_proto_version(client.get(), TLS1_2_VERSION);
  SSL_set_cipher_list(client.get(), "ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256");
  const Outcome bad = Shake(std::move(client), server->NewSession());
  EXPECT_FALSE(bad.server_done);
  EXPECT_THAT(bad.server_error, HasSubstr("no shared cipher"));
}

TEST_F(ContextTest, OlderVersionsThanTheLeastAreRefused) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  ServerContextOptions options{
      .service = "web", .certificates = {&certificate}, .min_version = "1.3"};
  const auto server = Server(options);
  SslPtr client = Client()->NewSession("a.example");
  SSL_set_max_proto_version(client.get(), TLS1_2_VERSION);
  const Outcome outcome = Shake(std::move(client), server->NewSession());
  EXPECT_FALSE(outcome.client_done);
  EXPECT_THAT(outcome.server_error, HasSubstr("unsupported protocol"));

  options.min_version = "1.1";
  EXPECT_THAT(std::string(ServerContext::Make(options).status().message()),
              HasSubstr("min_version must be 1.2 or 1.3, not 1.1"));
}

TEST_F(ContextTest, ChoosesTheCertificateByNameThenWildcardThenFirst) {
  const auto first = Issue("first", {"DNS:first.example"});
  const auto exact = Issue("exact", {"DNS:www.b.example"});
  const auto wild = Issue("wild", {"DNS:*.b.example"});
  const auto server = Server({&first, &exact, &wild});
  ClientOptions options{.skip_verify = true};
  const auto client = Client(options);
  const auto served = [&](const std::string& name) {
    return Shake(client->NewSession(name), server->NewSession()).common_name;
  };
  EXPECT_EQ(served("www.b.example"), "exact");
  EXPECT_EQ(served("WWW.B.example"), "exact");
  EXPECT_EQ(served("api.b.example"), "wild");
  EXPECT_EQ(served("a.api.b.example"), "first");  // A wildcard stands for one label.
  EXPECT_EQ(served("b.example"), "first");
  EXPECT_EQ(served("elsewhere.example"), "first");
  EXPECT_EQ(served("127.0.0.1"), "first");  // No SNI at all.
}

TEST_F(ContextTest, ServesTheTypeOfKeyTheClientCanUse) {
  const auto ecdsa = Issue("ecdsa", {"DNS:a.example"});
  const auto rsa = Issue("rsa", {"DNS:a.example", "DNS:only-rsa.example"}, /*rsa=*/true);
  const auto server = Server({&ecdsa, &rsa});
  const auto key_type = [&](const char* signatures, const std::string& name) {
    SslPtr client = Client()->NewSession(name);
    SSL_set1_sigalgs_list(client.get(), signatures);
    return Shake(std::move(client), server->NewSession()).key_type;
  };
  EXPECT_EQ(key_type("RSA-PSS+SHA256", "a.example"), EVP_PKEY_RSA);
  EXPECT_EQ(key_type("ECDSA+SHA256", "a.example"), EVP_PKEY_EC);
  EXPECT_EQ(key_type("ECDSA+SHA256:RSA-PSS+SHA256", "only-rsa.example"), EVP_PKEY_RSA);
}

TEST_F(ContextTest, AlpnWithoutOverlapIsFatalAndAbsentAlpnIsFine) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  const auto server = Server({&certificate});
  ClientOptions options{.ca_pem = ca_.pem(), .alpn = {"spdy/9"}};
  const Outcome none = Shake(Client(options)->NewSession("a.example"), server->NewSession());
  EXPECT_FALSE(none.client_done);
  EXPECT_THAT(none.client_error, HasSubstr("no application protocol"));

  options.alpn = {};
  const Outcome absent = Shake(Client(options)->NewSession("a.example"), server->NewSession());
  EXPECT_TRUE(absent.client_done) << absent.client_error;
  EXPECT_EQ(absent.alpn, "");
}

TEST_F(ContextTest, TheServersOrderOfProtocolsDecides) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  ServerContextOptions options{
      .service = "web", .certificates = {&certificate}, .alpn = {"h2", "http/1.1"}};
  const auto server = Server(options);
  ClientOptions client{.ca_pem = ca_.pem(), .alpn = {"http/1.1", "h2"}};
  EXPECT_EQ(Shake(Client(client)->NewSession("a.example"), server->NewSession()).alpn, "h2");
}

TEST_F(ContextTest, ClientRefusesWrongNamesAddressesIssuersAndDates) {
  const auto good = Issue("a", {"DNS:a.example", "IP:127.0.0.1", "IP:::1"});
  const auto server = Server({&good});
  const auto error = [&](const std::string& name) {
    return Shake(Client()->NewSession(name), server->NewSession()).client_error;
  };
  EXPECT_EQ(error("a.example"), "");
  EXPECT_EQ(error("127.0.0.1"), "");
  EXPECT_EQ(error("::1"), "");
  EXPECT_EQ(error("[::1]"), "");
  EXPECT_THAT(error("b.example"), HasSubstr("certificate verify failed: hostname mismatch"));
  EXPECT_THAT(error("127.0.0.2"), HasSubstr("certificate verify failed: IP address mismatch"));

  const TestCertificate stranger{CertificateSpec{.subject = "stranger", .ca = true}};
  ClientOptions options{.ca_pem = stranger.pem()};
  EXPECT_THAT(Shake(Client(options)->NewSession("a.example"), server->NewSession()).client_error,
              HasSubstr("unable to get local issuer certificate"));
  EXPECT_NE(
      Shake(Client(ClientOptions{})->NewSession("a.example"), server->NewSession()).client_error,
      "");  // The system does not know this issuer either.

  CertificateSpec spec{.subject = "old", .names = {"DNS:a.example"}, .not_after_seconds = -60};
  const auto expired = TestCertificate(spec, &ca_).Resource("old");
  EXPECT_THAT(
      Shake(Client()->NewSession("a.example"), Server({&expired})->NewSession()).client_error,
      HasSubstr("certificate has expired"));
}

TEST_F(ContextTest, WithoutVerificationAnyCertificateWillDo) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  ClientOptions options{.skip_verify = true};
  const auto client = Client(options);
  for (const char* name : {"b.example", "127.0.0.9", ""}) {
    const Outcome outcome = Shake(client->NewSession(name), Server({&certificate})->NewSession());
    EXPECT_TRUE(outcome.client_done) << name << ": " << outcome.client_error;
  }
}

TEST_F(ContextTest, ANameThatCannotBeVerifiedGivesNoSession) {
  EXPECT_EQ(Client()->NewSession(""), nullptr);
  EXPECT_EQ(Client()->NewSession(std::string("a.example\0.evil", 15)), nullptr);
}

TEST_F(ContextTest, SendsIntermediatesAndTheClientCertificate) {
  const TestCertificate middle{CertificateSpec{.subject = "middle", .ca = true}, &ca_};
  CertificateSpec spec{.subject = "leaf", .names = {"DNS:a.example"}};
  const TestCertificate leaf(spec, &middle);
  const auto alone = leaf.Resource("alone");
  const auto whole = leaf.Resource("whole", middle.pem());
  EXPECT_THAT(Shake(Client()->NewSession("a.example"), Server({&alone})->NewSession()).client_error,
              HasSubstr("unable to get local issuer certificate"));

  const auto own = Issue("client", {"DNS:client.example"});
  ClientOptions options{.ca_pem = ca_.pem(), .client_certificate = &own};
  SslPtr server = Server({&whole})->NewSession();
  std::string seen;
  SSL_set_ex_data(server.get(), 0, &seen);
  SSL_set_verify(server.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                 [](int, X509_STORE_CTX* context) {
                   char name[64] = "";
                   X509_NAME_get_text_by_NID(
                       X509_get_subject_name(X509_STORE_CTX_get0_cert(context)), NID_commonName,
                       name, sizeof(name));
                   auto* ssl = static_cast<SSL*>(
                       X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
                   *static_cast<std::string*>(SSL_get_ex_data(ssl, 0)) = name;
                   return 1;
                 });
  const Outcome outcome = Shake(Client(options)->NewSession("a.example"), std::move(server));
  EXPECT_TRUE(outcome.client_done) << outcome.client_error;
  EXPECT_EQ(seen, "client");
}

class TicketTest : public ContextTest, public ::testing::WithParamInterface<int> {
 protected:
  Outcome Connect(const std::shared_ptr<const ClientContext>& client,
                  const std::shared_ptr<const ServerContext>& server) {
    SslPtr session = client->NewSession("a.example");
    SSL_set_max_proto_version(session.get(), GetParam());
    const Outcome outcome = Shake(std::move(session), server->NewSession());
    EXPECT_TRUE(outcome.client_done) << outcome.client_error;
    return outcome;
  }
  const v1::Certificate certificate_ = Issue("a", {"DNS:a.example"});
};

TEST_P(TicketTest, ResumeAtAnotherContextOfTheSameServiceAndKeys) {
  const auto client = Client();
  EXPECT_FALSE(Connect(client, Server({&certificate_})).resumed);
  const auto replaced = Issue("new", {"DNS:a.example"});
  EXPECT_TRUE(Connect(client, Server({&replaced})).resumed);
}

TEST_P(TicketTest, ResumeWhereTheCertificateIsNotTheDefaultOne) {
  const auto other = Issue("other", {"DNS:other.example"});
  const auto server = Server({&other, &certificate_});
  const auto client = Client();
  EXPECT_FALSE(Connect(client, server).resumed);
  EXPECT_TRUE(Connect(client, server).resumed);
}

TEST_P(TicketTest, LiveThroughTwoRotationsAndAreRenewed) {
  const auto client = Client();
  const auto server = Server({&certificate_});
  Connect(client, server);
  keys_.Rotate();
  keys_.Rotate();
  const Outcome second = Connect(client, server);
  EXPECT_TRUE(second.resumed);
  // That one came with a ticket under the newest key, which lives on.
  keys_.Rotate();
  SslPtr third = client->NewSession("a.example");
  SSL_set_max_proto_version(third.get(), GetParam());
  SSL_set_session(third.get(), second.session.get());
  EXPECT_TRUE(Shake(std::move(third), server->NewSession()).resumed);
}

TEST_P(TicketTest, DieWithTheThirdRotation) {
  const auto client = Client();
  const auto server = Server({&certificate_});
  Connect(client, server);
  for (int i = 0; i < 3; ++i) keys_.Rotate();
  EXPECT_FALSE(Connect(client, server).resumed);
}

TEST_P(TicketTest, AreNotTakenByAnotherService) {
  const auto client = Client();
  Connect(client, Server({&certificate_}, "web"));
  EXPECT_FALSE(Connect(client, Server({&certificate_}, "admin")).resumed);
}

TEST_P(TicketTest, AreNotTakenUnderOtherKeys) {
  TicketKeys other_keys;
  ServerContextOptions options{.service = "web", .certificates = {&certificate_}};
  options.ticket_keys = &other_keys;
  const auto client = Client();
  Connect(client, Server({&certificate_}));
  EXPECT_FALSE(Connect(client, Server(options)).resumed);
}

TEST_P(TicketTest, AreNotMadeWithoutKeys) {
  ServerContextOptions options{.service = "web", .certificates = {&certificate_}};
  const auto server = Server(options);
  const auto client = Client();
  Connect(client, server);
  EXPECT_FALSE(Connect(client, server).resumed);
}

TEST_P(TicketTest, WorkFromManyThreadsWhileKeysRotate) {
  const auto server = Server({&certificate_});
  const auto client = Client();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j) Connect(client, server);
    });
  }
  for (int i = 0; i < 50; ++i) {
    keys_.Rotate();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  Connect(client, server);  // Its ticket may have died meanwhile; now there is a good one.
  EXPECT_TRUE(Connect(client, server).resumed);
}

INSTANTIATE_TEST_SUITE_P(Versions, TicketTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) {
                           return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST_F(ContextTest, SessionsOutliveTheirContext) {
  const auto certificate = Issue("a", {"DNS:a.example"});
  SslPtr server = Server({&certificate})->NewSession();
  SslPtr client = Client()->NewSession("a.example");
  EXPECT_TRUE(Shake(std::move(client), std::move(server)).client_done);
}

TEST_F(ContextTest, TellsTheEarliestExpiry) {
  CertificateSpec soon{.subject = "soon", .names = {"DNS:b.example"}, .not_after_seconds = 600};
  const auto first = Issue("a", {"DNS:a.example"});
  const auto second = TestCertificate(soon, &ca_).Resource("soon");
  const auto server = Server({&first, &second});
  EXPECT_NEAR(static_cast<double>(server->not_after_unix()),
              static_cast<double>(time(nullptr)) + 600, 5);
  EXPECT_EQ(*CertificateNotAfterUnix(second), server->not_after_unix());
}

TEST_F(ContextTest, RefusesUnusableCertificatesNamingThem) {
  const auto good = Issue("a", {"DNS:a.example"});
  const auto message = [this](const v1::Certificate& certificate) {
    ServerContextOptions options{.service = "web", .certificates = {&certificate}};
    options.ticket_keys = &keys_;
    return std::string(ServerContext::Make(options).status().message());
  };
  auto bad = good;
  bad.set_chain_pem("nonsense");
  EXPECT_THAT(message(bad), HasSubstr("certificate a: certificate 1 is not readable PEM"));
  bad = good;
  bad.set_chain_pem(good.chain_pem() +
                    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(message(bad), HasSubstr("certificate a: certificate 2 is not readable PEM"));
  bad = good;
  bad.set_key_pem("");
  EXPECT_THAT(message(bad), HasSubstr("certificate a: no usable private key"));
  bad.set_key_pem(TestCertificate(CertificateSpec{}).key_pem());
  EXPECT_THAT(message(bad), HasSubstr("does not belong to the first certificate"));
  bad.set_key_pem(TestCertificate(CertificateSpec{}).sealed_key_pem());
  EXPECT_THAT(message(bad), HasSubstr("without a passphrase"));
  EXPECT_FALSE(ServerContext::Make(ServerContextOptions{.service = "web"}).ok());
  ClientOptions client{.ca_pem = "nonsense"};
  EXPECT_THAT(std::string(ClientContext::Make(client).status().message()), HasSubstr("ca: "));
  ServerContextOptions alpn{.service = "web", .certificates = {&good}, .alpn = {""}};
  EXPECT_THAT(std::string(ServerContext::Make(alpn).status().message()), HasSubstr("ALPN"));
}

TEST(SessionCacheTest, ForgetsNamesBeyondItsLimit) {
  SessionCache cache;
  for (size_t i = 0; i < SessionCache::kNamesMax + 10; ++i) {
    cache.Put("host" + std::to_string(i), SessionPtr(SSL_SESSION_new()));
  }
  EXPECT_EQ(cache.size(), SessionCache::kNamesMax);
  EXPECT_NE(cache.Get("host" + std::to_string(SessionCache::kNamesMax + 9)), nullptr);
  EXPECT_EQ(cache.Get("unknown"), nullptr);
}

TEST(TicketKeysTest, KeepsThreeKeysNewestFirst) {
  TicketKeys keys;
  const auto first = keys.Current();
  ASSERT_EQ(first->keys.size(), 1u);
  for (int i = 0; i < 2; ++i) keys.Rotate();
  ASSERT_EQ(keys.Current()->keys.size(), 3u);
  EXPECT_EQ(keys.Current()->keys.back().name, first->keys.front().name);
  keys.Rotate();
  ASSERT_EQ(keys.Current()->keys.size(), TicketKeys::kKeysMax);
  EXPECT_NE(keys.Current()->keys.back().name, first->keys.front().name);
}

}  // namespace
}  // namespace sluice::tls
