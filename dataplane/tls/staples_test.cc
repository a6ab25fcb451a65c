#include "dataplane/tls/staples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "common/config/testing_ocsp.h"
#include "dataplane/tls/test_certificates.h"
#include "dataplane/tls/test_handshake.h"

namespace sluice::tls {
namespace {

using testing::CertificateSpec;
using testing::Outcome;
using testing::Shake;
using testing::TestCertificate;

class StaplesTest : public ::testing::TestWithParam<int> {
 protected:
  // A certificate with a response valid for so many seconds from now, begun an hour before.
  v1::Certificate Stapled(const CertificateSpec& spec, long seconds, long begun = -3600) {
    const TestCertificate leaf(spec, &ca_);
    v1::Certificate resource = leaf.Resource(spec.subject);
    const int64_t now = std::time(nullptr);
    resource.set_ocsp_der(config::testing_ocsp::MakeResponse({.certificate_pem = leaf.pem(),
                                                              .issuer_pem = ca_.pem(),
                                                              .issuer_key_pem = ca_.key_pem(),
                                                              .this_update_unix = now + begun,
                                                              .next_update_unix = now + seconds}));
    return resource;
  }

  std::string StapleFor(std::vector<const v1::Certificate*> certificates,
                        const std::string& name = "a.example", bool asks = true,
                        const char* signatures = nullptr) {
    ServerContextOptions options{.service = "web", .certificates = std::move(certificates)};
    const auto server = *ServerContext::Make(options);
    SslPtr client = (*ClientContext::Make({.ca_pem = ca_.pem()}))->NewSession(name);
    SSL_set_max_proto_version(client.get(), GetParam());
    if (asks) SSL_set_tlsext_status_type(client.get(), TLSEXT_STATUSTYPE_ocsp);
    if (signatures != nullptr) SSL_set1_sigalgs_list(client.get(), signatures);
    const Outcome outcome = Shake(std::move(client), server->NewSession());
    EXPECT_TRUE(outcome.client_done) << outcome.client_error;
    return outcome.staple;
  }

  const TestCertificate ca_{CertificateSpec{.subject = "ca", .ca = true}};
  const CertificateSpec site_{.subject = "site", .names = {"DNS:a.example"}};
};

TEST_P(StaplesTest, GoToWhoAsksOnly) {
  const auto site = Stapled(site_, 3600);
  EXPECT_EQ(StapleFor({&site}), site.ocsp_der());
  EXPECT_EQ(StapleFor({&site}, "a.example", /*asks=*/false), "");
}

TEST_P(StaplesTest, AreNotSentOutsideOfTheirTime) {
  const auto expired = Stapled(site_, -60);
  EXPECT_EQ(StapleFor({&expired}), "");
  const auto early = Stapled(site_, 7200, 3600);
  EXPECT_EQ(StapleFor({&early}), "");
}

TEST_P(StaplesTest, BelongToTheCertificateTheClientGets) {
  const auto site = Stapled(site_, 3600);
  const auto rsa = Stapled({.subject = "rsa", .names = {"DNS:a.example"}, .rsa = true}, 3600);
  const auto other = Stapled({.subject = "other", .names = {"DNS:b.example"}}, 3600);
  auto bare = Stapled({.subject = "bare", .names = {"DNS:c.example"}}, 3600);
  bare.clear_ocsp_der();
  const std::vector<const v1::Certificate*> all = {&site, &rsa, &other, &bare};
  EXPECT_EQ(StapleFor(all, "a.example", true, "ECDSA+SHA256"), site.ocsp_der());
  EXPECT_EQ(StapleFor(all, "a.example", true, "RSA-PSS+SHA256"), rsa.ocsp_der());
  EXPECT_EQ(StapleFor(all, "b.example"), other.ocsp_der());
  EXPECT_EQ(StapleFor(all, "c.example"), "");
}

TEST_P(StaplesTest, OfAnotherCertificateAreRefused) {
  auto site = Stapled(site_, 3600);
  site.set_ocsp_der(Stapled({.subject = "other"}, 3600).ocsp_der());
  const auto made = ServerContext::Make({.service = "web", .certificates = {&site}});
  EXPECT_THAT(std::string(made.status().message()), ::testing::HasSubstr("certificate site: "));
}

INSTANTIATE_TEST_SUITE_P(Versions, StaplesTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& version) {
                           return version.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

}  // namespace
}  // namespace sluice::tls
