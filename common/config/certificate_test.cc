#include "common/config/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "common/base/hash.h"
#include "common/config/testing_certificates.h"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_certificates::MakeSelfSigned;
using testing_certificates::Pair;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

v1::Certificate Certificate(const Pair& pair) {
  v1::Certificate certificate;
  certificate.set_name("/etc/cert.pem");
  certificate.set_chain_pem(pair.chain_pem);
  certificate.set_key_pem(pair.key_pem);
  return certificate;
}

TEST(CertificateTest, DescribesTheLeaf) {
  const auto info = DescribeCertificate(Certificate(MakeSelfSigned()));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->name(), "/etc/cert.pem");
  EXPECT_EQ(info->subject(), "CN=a.test");
  EXPECT_EQ(info->issuer(), "CN=a.test");
  EXPECT_THAT(info->dns_names(), ElementsAre("a.test", "*.a.test", "127.0.0.1", "::1"));
  EXPECT_EQ(info->not_before_unix(), 1'700'000'000);
  EXPECT_EQ(info->not_after_unix(), 4'000'000'000);
  EXPECT_EQ(info->key_type(), "EC P-256");
  EXPECT_EQ(base::HexDecode(info->sha256())->size(), 32u);
}

TEST(CertificateTest, DescribesRsaAndExpiredOnes) {
  const auto info = DescribeCertificate(Certificate(
      MakeSelfSigned({.alt_names = "", .not_after_unix = 1'700'000'001, .rsa_bits = 2048})));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->key_type(), "RSA 2048");
  EXPECT_EQ(info->not_after_unix(), 1'700'000'001);
  EXPECT_EQ(info->dns_names_size(), 0);
}

TEST(CertificateTest, AcceptsThePairThatBelongsTogether) {
  const Pair one = MakeSelfSigned();
  const Pair two = MakeSelfSigned();
  EXPECT_TRUE(CheckKey(one.chain_pem, one.key_pem).ok());
  EXPECT_TRUE(CheckKey(one.chain_pem + two.chain_pem, one.key_pem).ok());
  EXPECT_THAT(MessageOf(CheckKey(one.chain_pem, two.key_pem)), HasSubstr("does not belong"));
}

TEST(CertificateTest, SaysWhenTheLeafIsNotFirst) {
  const Pair leaf = MakeSelfSigned();
  const Pair issuer = MakeSelfSigned();
  EXPECT_THAT(MessageOf(CheckKey(issuer.chain_pem + leaf.chain_pem, leaf.key_pem)),
              HasSubstr("certificate 2 of the chain; put that certificate first"));
}

TEST(CertificateTest, RefusesEncryptedKeysWithoutAsking) {
  const Pair pair = MakeSelfSigned();
  EXPECT_THAT(MessageOf(CheckKey(pair.chain_pem, pair.encrypted_key_pem)), HasSubstr("encrypted"));
}

TEST(CertificateTest, RefusesWeakKeys) {
  const Pair weak = MakeSelfSigned({.rsa_bits = 1024});
  EXPECT_THAT(MessageOf(CheckKey(weak.chain_pem, weak.key_pem)), HasSubstr("too weak"));
}

TEST(CertificateTest, RefusesDamagedAndMissingText) {
  const Pair pair = MakeSelfSigned();
  EXPECT_THAT(MessageOf(CheckChain("")), HasSubstr("no certificate found"));
  EXPECT_THAT(MessageOf(CheckChain(pair.key_pem)), HasSubstr("no certificate found"));
  EXPECT_THAT(MessageOf(CheckKey(pair.chain_pem, pair.chain_pem)), HasSubstr("no private key"));
  EXPECT_FALSE(CheckKey(pair.chain_pem, "").ok());

  std::string damaged = pair.chain_pem;
  damaged[damaged.size() / 2] = '!';
  EXPECT_THAT(MessageOf(CheckChain(damaged)), HasSubstr("certificate 1 is malformed"));
  EXPECT_THAT(MessageOf(CheckChain(pair.chain_pem + damaged)),
              HasSubstr("certificate 2 is malformed"));
  EXPECT_FALSE(CheckChain(pair.chain_pem.substr(0, pair.chain_pem.size() / 2)).ok());
  EXPECT_FALSE(CheckChain(std::string(kPemBytesMax + 1, 'x')).ok());
}

TEST(CertificateTest, ChainsAndBundlesHaveAnEnd) {
  const Pair pair = MakeSelfSigned();
  std::string many;
  for (int i = 0; i < kChainCertificatesMax; ++i) many += pair.chain_pem;
  EXPECT_TRUE(CheckChain(many).ok());
  EXPECT_FALSE(CheckChain(many + pair.chain_pem).ok());
  EXPECT_TRUE(CheckCaBundle(many + pair.chain_pem).ok());
  EXPECT_FALSE(CheckCaBundle("nothing").ok());
}

TEST(CertificateTest, FindsTheCertificatesAndNothingElseOfTheText) {
  const Pair one = MakeSelfSigned();
  const Pair two = MakeSelfSigned();
  EXPECT_EQ(*ChainIn(one.chain_pem + two.chain_pem), one.chain_pem + two.chain_pem);
  const std::string mixed =
      "password: secret\n" + one.key_pem + one.chain_pem + one.key_pem + two.chain_pem + "secret\n";
  EXPECT_EQ(*ChainIn(mixed), one.chain_pem + two.chain_pem);
  EXPECT_EQ(*CaBundleIn(mixed), one.chain_pem + two.chain_pem);
  EXPECT_FALSE(ChainIn(one.key_pem).ok());
  EXPECT_FALSE(CaBundleIn("").ok());
}

// Others read OpenSSL's queue after their own calls.
TEST(CertificateTest, LeavesNoErrorInOpenSslsQueue) {
  const Pair one = MakeSelfSigned();
  const Pair two = MakeSelfSigned();
  ERR_clear_error();
  (void)CheckKey(one.chain_pem, two.key_pem);
  (void)CheckKey(one.chain_pem, one.encrypted_key_pem);
  (void)CheckKey(one.chain_pem, one.key_pem);
  (void)CheckChain("");
  (void)CheckChain("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
  (void)DescribeCertificate(Certificate(one));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

}  // namespace
}  // namespace sluice::config
