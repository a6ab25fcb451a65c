#include "controlplane/trust/enrollment_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/trust/signing_request.h"
#include "common/trust/token_text.h"
#include "controlplane/store/testing_folder.h"

namespace sluice::trust {
namespace {

using store::testing::Folder;
using ::testing::AllOf;
using ::testing::HasSubstr;

class EnrollmentServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = *store::VersionStore::Open(folder_.path());
    trust_ = *store::TrustStore::Open(folder_.path());
    authority_ = *CertificateAuthority::Open(folder_.path(), sealer_, base::UnixMillis() / 1000);
    guard_ = std::make_unique<Guard>(Guard::Options{}, *trust_, *store_);
    service_ = std::make_unique<EnrollmentService>(*guard_, *trust_, *store_, authority_.get(),
                                                   std::chrono::hours{24});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::EnrollmentService::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                               grpc::InsecureChannelCredentials()));
  }
  void TearDown() override {
    server_->Shutdown();
    server_->Wait();
  }

  std::string Token(const std::string& node_id = "", int64_t ttl_ms = 60'000) {
    const TokenText text = MakeToken(TokenText::Kind::kJoin, authority_->fingerprint());
    const int64_t now = base::UnixMillis();
    store::StoredToken token{
        .info = {}, .secret_sha256 = HashOfSecret(text.secret), .used_key = ""};
    token.info.set_id(text.id);
    token.info.set_node_id(node_id);
    (*token.info.mutable_labels())["zone"] = "a";
    token.info.set_created_unix_ms(static_cast<uint64_t>(now));
    token.info.set_expires_unix_ms(static_cast<uint64_t>(now + ttl_ms));
    EXPECT_TRUE(trust_->AddToken(token, now).ok());
    return FormatToken(text);
  }
  grpc::Status Enroll(const std::string& token, const std::string& node_id, EVP_PKEY* key,
                      v1::EnrollResponse* response = nullptr) {
    v1::EnrollRequest request;
    request.set_token(token);
    request.set_node_id(node_id);
    request.set_signing_request_pem(MakeSigningRequest(key).value());
    v1::EnrollResponse ignored;
    grpc::ClientContext context;
    return stub_->Enroll(&context, request, response != nullptr ? response : &ignored);
  }

  absl::Status CheckNode(const std::string& node_id, const std::string& serial) const {
    return guard_->CheckNode({.kind = Caller::Kind::kNode, .name = node_id, .serial = serial});
  }

  const Sealer sealer_{std::string(32, 'k')};
  const KeyPtr key_ = MakeKey().value(), other_key_ = MakeKey().value();
  Folder folder_;
  std::unique_ptr<store::VersionStore> store_;
  std::unique_ptr<store::TrustStore> trust_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<EnrollmentService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::EnrollmentService::Stub> stub_;
};

TEST_F(EnrollmentServiceTest, AnAnswerThatWasLostIsGivenAgainForTheSameKeyOnly) {
  const std::string token = Token();
  v1::EnrollResponse first, second;
  ASSERT_TRUE(Enroll(token, "edge-1", key_.get(), &first).ok());
  ASSERT_TRUE(Enroll(token, "edge-1", key_.get(), &second).ok());
  EXPECT_EQ(second.labels().at("zone"), "a");
  EXPECT_EQ(second.ca_pem(), authority_->certificate_pem());
  const auto serial = [](const v1::EnrollResponse& response) {
    return IdentityOf(response.certificate_pem(), Authority::kOwn)->serial;
  };
  // Both are of one enrolment: neither revokes the other.
  EXPECT_TRUE(CheckNode("edge-1", serial(first)).ok());
  EXPECT_TRUE(CheckNode("edge-1", serial(second)).ok());
  EXPECT_EQ(Enroll(token, "edge-1", other_key_.get()).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(Enroll(token, "edge-2", key_.get()).error_message(),
              AllOf(HasSubstr("used already, by node edge-1"), HasSubstr("token create")));
}

TEST_F(EnrollmentServiceTest, ANameThatIsTakenNeedsATokenForIt) {
  v1::EnrollResponse first, second;
  ASSERT_TRUE(Enroll(Token(), "edge-1", key_.get(), &first).ok());
  const std::string spent = Token("edge-1");
  ASSERT_TRUE(Enroll(spent, "edge-1", key_.get(), &first).ok());
  const grpc::Status status = Enroll(Token(), "edge-1", other_key_.get());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("token create --node-id edge-1"));
  ASSERT_TRUE(Enroll(Token("edge-1"), "edge-1", other_key_.get(), &second).ok());
  const auto old = IdentityOf(first.certificate_pem(), Authority::kOwn);
  EXPECT_THAT(std::string(CheckNode("edge-1", old->serial).message()),
              HasSubstr("has been enrolled anew"));
  // Nor does the token of the old one bring it back.
  EXPECT_EQ(Enroll(spent, "edge-1", key_.get()).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  // Removed, its name is free again.
  ASSERT_TRUE(*trust_->RevokeNode("edge-1", 1));
  EXPECT_THAT(std::string(CheckNode("edge-1", old->serial).message()), HasSubstr("is revoked"));
  EXPECT_TRUE(Enroll(Token(), "edge-1", key_.get()).ok());
}

TEST_F(EnrollmentServiceTest, BadTokensAreRefusedAndTheirSpendersSlowedDown) {
  EXPECT_THAT(Enroll(Token("a"), "b", key_.get()).error_message(), HasSubstr("is for node a"));
  EXPECT_THAT(Enroll(Token("", -1), "a", key_.get()).error_message(), HasSubstr("has expired"));
  EXPECT_THAT(Enroll("x", "a", key_.get()).error_message(), HasSubstr("this is no token"));
  EXPECT_THAT(Enroll(Token(), "a b", key_.get()).error_message(), HasSubstr("node id"));
  const std::string operators = FormatToken(MakeToken(TokenText::Kind::kOperator, ""));
  EXPECT_THAT(Enroll(operators, "a", key_.get()).error_message(), HasSubstr("operator's token"));
  const std::string unknown =
      FormatToken(MakeToken(TokenText::Kind::kJoin, authority_->fingerprint()));
  const std::string good = Token();
  grpc::Status last;
  for (int i = 0; i < 20; ++i) last = Enroll(unknown, "a", key_.get());
  EXPECT_EQ(last.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  // Not even the right one is looked at now.
  EXPECT_EQ(Enroll(good, "a", key_.get()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GE(guard_->refused(Refusal::kTooManyFailures), 2u);
  EXPECT_GE(guard_->refused(Refusal::kBadCredential), 5u);
  EXPECT_EQ(trust_->FindToken(ParseToken(good)->id)->info.used_unix_ms(), 0u);
}

TEST_F(EnrollmentServiceTest, WithoutACertificateNobodyRenews) {
  v1::RenewRequest request;
  request.set_signing_request_pem(MakeSigningRequest(key_.get()).value());
  v1::EnrollResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub_->Renew(&context, request, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace sluice::trust
