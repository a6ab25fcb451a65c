#include "common/trust/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <vector>

#include "common/trust/pem.h"

namespace sluice::trust {
namespace {

using ::testing::HasSubstr;

struct Wanted {
  std::string common_name;
  std::vector<std::string> units;
  std::string alt_names;
};

std::string Make(const Wanted& wanted) {
  const KeyPtr key = MakeKey().value();
  const X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 0x4711);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), 1'700'000'000);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), 1'800'000'000);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto add = [subject](const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
  };
  if (!wanted.common_name.empty()) add("CN", wanted.common_name);
  for (const std::string& unit : wanted.units) add("OU", unit);
  X509_set_issuer_name(certificate.get(), subject);
  X509_set_pubkey(certificate.get(), key.get());
  if (!wanted.alt_names.empty()) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wanted.alt_names.c_str());
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  return PemOf(certificate.get()).value();
}

TEST(IdentityTest, TheUriNamesNodesAndOperators) {
  const auto node = IdentityOf(Make({.alt_names = "URI:sluice://node/edge-1"}), Authority::kOwn);
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->kind, Identity::Kind::kNode);
  EXPECT_EQ(node->name, "edge-1");
  EXPECT_EQ(node->role, Role::kNone);
  EXPECT_EQ(node->serial, "4711");
  EXPECT_EQ(node->not_after_unix, 1'800'000'000);
  const auto ann = IdentityOf(
      Make({.alt_names = "DNS:a.test,URI:sluice://operator/viewer/ann%40x"}), Authority::kOwn);
  ASSERT_TRUE(ann.ok()) << ann.status();
  EXPECT_EQ(ann->kind, Identity::Kind::kOperator);
  EXPECT_EQ(ann->name, "ann@x");
  EXPECT_EQ(ann->role, Role::kViewer);
}

TEST(IdentityTest, NamesComeBackAsTheyWentIn) {
  for (const std::string name :
       {"a", "a/b", "100%", "ann@example.com", "x,URI:sluice:", "..", "%2F"}) {
    // The extension is given as bytes elsewhere; here commas would end the value.
    if (name.find(',') != std::string::npos) {
      EXPECT_EQ(NodeUri(name).find(','), std::string::npos);
    }
    const auto node = IdentityOf(Make({.alt_names = "URI:" + NodeUri(name)}), Authority::kOwn);
    ASSERT_TRUE(node.ok()) << node.status();
    EXPECT_EQ(node->name, name);
    const auto person =
        IdentityOf(Make({.alt_names = "URI:" + OperatorUri(Role::kAdmin, name)}), Authority::kOwn);
    ASSERT_TRUE(person.ok()) << person.status();
    EXPECT_EQ(person->name, name);
    EXPECT_EQ(person->role, Role::kAdmin);
    const auto controller =
        IdentityOf(Make({.alt_names = "URI:" + ControllerUri(name)}), Authority::kOwn);
    ASSERT_TRUE(controller.ok()) << controller.status();
    EXPECT_EQ(controller->kind, Identity::Kind::kController);
    EXPECT_EQ(controller->name, name);
    EXPECT_EQ(controller->role, Role::kNone);
  }
}

TEST(IdentityTest, WhatIsNotCertainIsNobody) {
  for (const std::string names :
       {"", "DNS:edge-1", "URI:sluice://node/", "URI:sluice://node/a b", "URI:sluice://node/%61",
        "URI:sluice://operator/root/ann", "URI:sluice://operator/admin", "URI:sluice://x/y",
        "URI:sluice://node/a,URI:sluice://node/b",
        "URI:sluice://node/a,URI:sluice://operator/admin/a"}) {
    const auto identity =
        IdentityOf(Make({.common_name = "edge-1", .alt_names = names}), Authority::kOwn);
    EXPECT_TRUE(absl::IsUnauthenticated(identity.status())) << names;
  }
  EXPECT_FALSE(IdentityOf("no certificate", Authority::kOwn).ok());
}

TEST(IdentityTest, OfAnExternalCaTheCommonNameAndUnitCount) {
  const auto node =
      IdentityOf(Make({.common_name = "edge-1", .units = {"sluice-node"}}), Authority::kExternal);
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->kind, Identity::Kind::kNode);
  const auto controller = IdentityOf(Make({.common_name = "c-1", .units = {"sluice-controller"}}),
                                     Authority::kExternal);
  ASSERT_TRUE(controller.ok()) << controller.status();
  EXPECT_EQ(controller->kind, Identity::Kind::kController);
  EXPECT_EQ(node->name, "edge-1");
  const auto ann = IdentityOf(Make({.common_name = "ann", .units = {"Dept", "sluice-operator"}}),
                              Authority::kExternal);
  ASSERT_TRUE(ann.ok()) << ann.status();
  EXPECT_EQ(ann->kind, Identity::Kind::kOperator);
  EXPECT_EQ(ann->role, Role::kOperator);
  // It certifies others, too, and who means two things is not certain.
  for (const std::vector<std::string>& units :
       std::vector<std::vector<std::string>>{{},
                                             {"Dept"},
                                             {"sluice-root"},
                                             {"sluice-node", "sluice-admin"},
                                             {"sluice-viewer", "sluice-admin"}}) {
    const auto nobody =
        IdentityOf(Make({.common_name = "edge-1", .units = units}), Authority::kExternal);
    EXPECT_TRUE(absl::IsUnauthenticated(nobody.status())) << units.size();
  }
  // Our URI says more than either.
  const auto both = IdentityOf(Make({.common_name = "ann",
                                     .units = {"sluice-admin"},
                                     .alt_names = "URI:sluice://node/edge-1"}),
                               Authority::kExternal);
  EXPECT_EQ(both->kind, Identity::Kind::kNode);
  EXPECT_EQ(both->name, "edge-1");
}

}  // namespace
}  // namespace sluice::trust
