#include "controlplane/store/trust_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/store/testing_folder.h"
#include "controlplane/store/version_store.h"

namespace sluice::store {
namespace {

using testing::Folder;

constexpr int64_t kNow = 1'800'000'000'000;

class TrustStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    versions_ = *VersionStore::Open(folder_.path());
    Open();
  }
  void Open() {
    auto opened = TrustStore::Open(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    trust_ = *std::move(opened);
  }
  static StoredToken Token(const std::string& id, int64_t expires_ms = kNow + 1000) {
    StoredToken token{.info = {}, .secret_sha256 = "hash", .used_key = ""};
    token.info.set_id(id);
    token.info.set_created_unix_ms(kNow);
    token.info.set_expires_unix_ms(static_cast<uint64_t>(expires_ms));
    (*token.info.mutable_labels())["zone"] = "a";
    return token;
  }
  static EnrolledNode Node(const std::string& token, const std::string& enrolment) {
    EnrolledNode node{.node_id = "n", .enrolment = enrolment, .token = token, .labels = {}};
    node.enrolled_unix_ms = kNow;
    (*node.labels.mutable_labels())["zone"] = "a";
    return node;
  }

  Folder folder_;
  std::unique_ptr<VersionStore> versions_;
  std::unique_ptr<TrustStore> trust_;
};

TEST_F(TrustStoreTest, TokensComeBackAfterReopening) {
  ASSERT_TRUE(trust_->AddToken(Token("t1"), kNow).ok());
  StoredToken person = Token("t2");
  person.info.set_role("viewer");
  person.info.set_name("ann");
  person.info.set_created_by("bob");
  ASSERT_TRUE(trust_->AddToken(person, kNow).ok());
  ASSERT_TRUE(trust_->NoteTokenUse("t2", kNow + 5).ok());
  trust_.reset();
  Open();
  EXPECT_EQ(trust_->Tokens()->size(), 2u);
  const auto one = trust_->FindToken("t1");
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->secret_sha256, "hash");
  EXPECT_EQ(one->info.labels().at("zone"), "a");
  const auto two = trust_->FindToken("t2");
  EXPECT_EQ(two->info.role(), "viewer");
  EXPECT_EQ(two->info.name(), "ann");
  EXPECT_EQ(two->info.created_by(), "bob");
  EXPECT_EQ(two->info.used_unix_ms(), static_cast<uint64_t>(kNow + 5));
  EXPECT_TRUE(absl::IsNotFound(trust_->FindToken("t3").status()));
  EXPECT_TRUE(absl::IsNotFound(trust_->FindToken("").status()));
}

TEST_F(TrustStoreTest, ATokenIsSpentOnceAndTheNodeIsEnrolledWithIt) {
  ASSERT_TRUE(trust_->AddToken(Token("t1"), kNow).ok());
  ASSERT_TRUE(trust_->Enroll("key", Node("t1", "e1")).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(trust_->Enroll("key", Node("t1", "e2"))));
  const auto node = trust_->FindNode("n");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->enrolment, "e1");
  EXPECT_EQ(node->labels.labels().at("zone"), "a");
  EXPECT_EQ(trust_->FindToken("t1")->used_key, "key");
  EXPECT_EQ(trust_->FindToken("t1")->info.used_by(), "n");
  EXPECT_TRUE(absl::IsFailedPrecondition(trust_->Enroll("key", Node("unknown", "e2"))));
}

TEST_F(TrustStoreTest, WhatIsRevokedStaysSo) {
  ASSERT_TRUE(trust_->AddToken(Token("t1"), kNow).ok());
  ASSERT_TRUE(trust_->AddToken(Token("t2"), kNow).ok());
  ASSERT_TRUE(trust_->RevokeToken("t2", kNow).ok());
  ASSERT_TRUE(trust_->RevokeToken("t2", kNow + 1).ok());
  EXPECT_EQ(trust_->FindToken("t2")->info.revoked_unix_ms(), static_cast<uint64_t>(kNow));
  EXPECT_TRUE(absl::IsNotFound(trust_->RevokeToken("t3", kNow)));
  EXPECT_TRUE(absl::IsFailedPrecondition(trust_->Enroll("key", Node("t2", "e1"))));
  EXPECT_FALSE(*trust_->RevokeNode("n", kNow));
  ASSERT_TRUE(trust_->Enroll("key", Node("t1", "e1")).ok());
  EXPECT_TRUE(*trust_->RevokeNode("n", kNow));
  EXPECT_FALSE(*trust_->RevokeNode("n", kNow));
  EXPECT_EQ(trust_->FindNode("n")->revoked_unix_ms, kNow);
}

TEST_F(TrustStoreTest, SpentTokensAreForgottenAndUsedOperatorsAreNot) {
  ASSERT_TRUE(trust_->AddToken(Token("expired"), kNow).ok());
  ASSERT_TRUE(trust_->AddToken(Token("used", INT64_MAX), kNow).ok());
  ASSERT_TRUE(trust_->Enroll("key", Node("used", "e1")).ok());
  StoredToken person = Token("person", INT64_MAX);
  person.info.set_role("admin");
  ASSERT_TRUE(trust_->AddToken(person, kNow).ok());
  ASSERT_TRUE(trust_->NoteTokenUse("person", kNow).ok());
  ASSERT_TRUE(trust_->AddToken(Token("new"), kNow + TrustStore::kSpentKeptMs + 2000).ok());
  const auto tokens = trust_->Tokens();
  ASSERT_EQ(tokens->size(), 2u);
  EXPECT_TRUE(trust_->FindToken("person").ok());
  EXPECT_TRUE(trust_->FindToken("new").ok());
}

}  // namespace
}  // namespace sluice::store
