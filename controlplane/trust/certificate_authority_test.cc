#include "controlplane/trust/certificate_authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/base/file.h"
#include "common/trust/identity.h"
#include "controlplane/store/testing_folder.h"
#include "controlplane/trust/own_trust.h"

namespace sluice::trust {
namespace {

using store::testing::Folder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 1'800'000'000;
constexpr int64_t kDay = 24 * 3600;

std::string Read(const std::string& path) { return base::ReadFile(path, 1 << 20).value_or(""); }

class CertificateAuthorityTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<CertificateAuthority>> Open() const {
    return CertificateAuthority::Open(folder_.path(), sealer_, kNow);
  }
  Folder folder_;
  const Sealer sealer_{std::string(32, 'k')};
};

TEST_F(CertificateAuthorityTest, IsMadeOnceAndItsKeyIsSealed) {
  const auto first = Open();
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Open();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*first)->certificate_pem(), (*second)->certificate_pem());
  EXPECT_EQ((*first)->fingerprint().size(), 32u);
  EXPECT_THAT(Read(folder_ / "ca.key"), Not(HasSubstr("PRIVATE KEY")));
  struct stat info;
  ASSERT_EQ(stat((folder_ / "ca.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const X509Ptr ca = ParseCertificate((*first)->certificate_pem()).value();
  EXPECT_EQ(NotAfter(ca.get()) - kNow, 3652 * kDay);
  EXPECT_EQ(X509_check_ca(ca.get()), 1);
}

TEST_F(CertificateAuthorityTest, AKeyThatCertifiedNothingYetIsUsed) {
  const auto first = Open();
  std::filesystem::remove(folder_ / "ca.crt");  // As if killed before it was written.
  const auto second = Open();
  ASSERT_TRUE(second.ok()) << second.status();
  const auto key_of = [](const auto& authority) {
    return FingerprintOfKey(
        X509_get0_pubkey(ParseCertificate((*authority)->certificate_pem()).value().get()));
  };
  EXPECT_EQ(key_of(first), key_of(second));
}

TEST_F(CertificateAuthorityTest, WhatIsMissingOrSealedOtherwiseIsNotMadeUp) {
  const std::string before = (*Open())->certificate_pem();
  const auto wrong = CertificateAuthority::Open(folder_.path(), Sealer(std::string(32, 'x')), kNow);
  EXPECT_THAT(std::string(wrong.status().message()),
              AllOf(HasSubstr("ca.key"), HasSubstr("--seal-key-file")));
  std::filesystem::rename(folder_ / "ca.key", folder_ / "away");
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("restore it from a copy"));
  std::filesystem::rename(folder_ / "away", folder_ / "ca.key");
  EXPECT_EQ((*Open())->certificate_pem(), before);
}

TEST_F(CertificateAuthorityTest, IssuesWhatWasAskedFor) {
  const auto authority = *Open();
  const KeyPtr key = MakeKey().value();
  const auto pem = authority->Issue(key.get(),
                                    {.use = CertificateRequest::Use::kClient,
                                     .common_name = std::string(200, 'n'),
                                     .dns_names = {},
                                     .ip_addresses = {},
                                     .uris = {NodeUri("edge,DNS:evil")},
                                     .lifetime = std::chrono::seconds{100},
                                     .serial_prefix = "4102030405060708"},
                                    kNow);
  ASSERT_TRUE(pem.ok()) << pem.status();
  const X509Ptr certificate = ParseCertificate(*pem).value();
  const X509Ptr ca = ParseCertificate(authority->certificate_pem()).value();
  EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(ca.get())), 1);
  EXPECT_EQ(X509_check_private_key(certificate.get(), key.get()), 1);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_EQ(NotBefore(certificate.get()), kNow - 10);
  EXPECT_EQ(NotAfter(certificate.get()), kNow + 100);
  EXPECT_EQ(SerialOf(certificate.get()).substr(0, 16), "4102030405060708");
  EXPECT_EQ(SerialOf(certificate.get()).size(), 32u);
  const auto identity = IdentityOf(*pem, Authority::kOwn);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name, "edge,DNS:evil");
}

TEST_F(CertificateAuthorityTest, LeftoversOfAnInterruptedWriteGo) {
  std::ofstream(folder_ / ".ca.key.0123.tmp") << "half a key";
  ASSERT_TRUE(PreparePrivateFolder(folder_.path()).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / ".ca.key.0123.tmp"));
}

class ServerIdentityTest : public CertificateAuthorityTest {
 protected:
  void SetUp() override { authority_ = *CertificateAuthority::Open(folder_.path(), sealer_, kNow); }
  std::unique_ptr<ServerIdentity> OpenServer(std::vector<std::string> names, int64_t now) const {
    auto opened = ServerIdentity::Open({.directory = folder_.path(),
                                        .dns_names = std::move(names),
                                        .ip_addresses = {"127.0.0.1", "::1"},
                                        .lifetime = std::chrono::hours{24 * 9}},
                                       *authority_, sealer_, now);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  std::unique_ptr<CertificateAuthority> authority_;
};

TEST_F(ServerIdentityTest, IsKeptUntilTwoThirdsOfItsLifeAreUsed) {
  const auto server = OpenServer({"a.test"}, kNow);
  const auto first = server->Current(kNow);
  EXPECT_EQ(server->Current(kNow + 5 * kDay), first);
  EXPECT_EQ(OpenServer({"a.test"}, kNow + 5 * kDay)->Current(kNow)->chain_pem, first->chain_pem);
  const auto second = server->Current(kNow + 7 * kDay);
  EXPECT_NE(second->chain_pem, first->chain_pem);
  EXPECT_NE(second->generation, first->generation);
  EXPECT_EQ(server->Current(kNow + 7 * kDay), second);
  // The one who was renewed is the one that comes back.
  EXPECT_EQ(OpenServer({"a.test"}, kNow + 8 * kDay)->Current(kNow)->chain_pem, second->chain_pem);
  EXPECT_THAT(Read(folder_ / "server.pem"), Not(HasSubstr("PRIVATE KEY")));
}

TEST_F(ServerIdentityTest, OtherNamesNeedAnotherCertificate) {
  const auto first = OpenServer({"a.test"}, kNow)->Current(kNow)->chain_pem;
  const auto second = OpenServer({"a.test", "b.test"}, kNow)->Current(kNow)->chain_pem;
  EXPECT_NE(first, second);
  const X509Ptr certificate = ParseCertificate(second).value();
  EXPECT_EQ(X509_check_host(certificate.get(), "b.test", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "c.test", 0, 0, nullptr), 0);
  // The CA follows, for those who know only its fingerprint.
  EXPECT_EQ(Fingerprint(ParseCertificates(second).value().back().get()), authority_->fingerprint());
}

TEST_F(ServerIdentityTest, ADamagedFileIsReplaced) {
  OpenServer({"a.test"}, kNow);
  std::ofstream(folder_ / "server.pem") << "torn";
  EXPECT_NE(OpenServer({"a.test"}, kNow)->Current(kNow), nullptr);
}

TEST(OwnTrustTest, TheOperatorsCredentialIsMadeAgainWhenItIsGoneOrOld) {
  const Folder folder;
  const Sealer sealer(std::string(32, 'k'));
  const auto trust = OwnTrust::Open(
      {.data_dir = folder.path(), .grpc_address = "0.0.0.0:7400", .names = {"c.test", "10.0.0.9"}},
      sealer, kNow);
  ASSERT_TRUE(trust.ok()) << trust.status();
  EXPECT_THAT(Read(folder / "operator/context.yaml"), HasSubstr("controller: '127.0.0.1:7400'"));
  const std::string first = Read(folder / "operator/operator.pem");
  const auto identity = IdentityOf(first, Authority::kOwn);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->role, Role::kAdmin);
  ASSERT_TRUE((*trust)->KeepOperator(kNow + 19 * kDay).ok());
  EXPECT_EQ(Read(folder / "operator/operator.pem"), first);
  ASSERT_TRUE((*trust)->KeepOperator(kNow + 21 * kDay).ok());
  EXPECT_NE(Read(folder / "operator/operator.pem"), first);
  std::filesystem::remove(folder / "operator/ca.crt");
  std::filesystem::remove(folder / "operator/operator.pem");
  ASSERT_TRUE((*trust)->KeepOperator(kNow).ok());
  EXPECT_EQ(Read(folder / "operator/ca.crt"), (*trust)->authority().certificate_pem());
  const X509Ptr server = ParseCertificate((*trust)->server().Current(kNow)->chain_pem).value();
  for (const char* name : {"localhost", "c.test"}) {
    EXPECT_EQ(X509_check_host(server.get(), name, 0, 0, nullptr), 1) << name;
  }
  for (const char* ip : {"127.0.0.1", "::1", "10.0.0.9"}) {
    EXPECT_EQ(X509_check_ip_asc(server.get(), ip, 0), 1) << ip;
  }
  EXPECT_EQ(X509_check_ip_asc(server.get(), "0.0.0.0", 0), 0);
}

}  // namespace
}  // namespace sluice::trust
