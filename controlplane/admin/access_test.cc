// Every call of every service, tried with every credential over real TLS.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/trust/signing_request.h"
#include "common/trust/token_text.h"
#include "controlplane/admin/admin_service.h"
#include "controlplane/admin/backup_service.h"
#include "controlplane/apply/testing_setup.h"
#include "controlplane/relay/forwarded.h"
#include "controlplane/trust/enrollment_service.h"
#include "controlplane/trust/own_trust.h"
#include "controlplane/trust/server_credentials.h"
#include "controlplane/trust/token_service.h"

namespace sluice::admin {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using trust::Access;
using trust::Role;
using Code = grpc::StatusCode;

int64_t NowUnix() { return base::UnixMillis() / 1000; }

// "AdminService/Apply" and so on, as the proto files say.
std::set<std::string> AllMethods() {
  std::set<std::string> methods;
  for (const auto& file : std::filesystem::directory_iterator("proto/sluice/v1")) {
    if (file.path().filename() == "grpc_health.proto") continue;  // The upstreams', not ours.
    const std::string text = *base::ReadFile(file.path().string(), 1 << 20);
    std::string service;
    const std::regex words(R"((?:^|\n)\s*(service|rpc)\s+(\w+))");
    for (std::sregex_iterator it(text.begin(), text.end(), words), end; it != end; ++it) {
      if ((*it)[1] == "service") service = (*it)[2];
      if ((*it)[1] == "rpc") methods.insert(service + "/" + (*it)[2].str());
    }
  }
  return methods;
}

TEST(AccessTableTest, EveryCallHasARow) {
  std::set<std::string> rows;
  for (const trust::Rule& rule : trust::Rules()) {
    EXPECT_TRUE(rows.insert(std::string(rule.method)).second) << "two rows for " << rule.method;
  }
  const std::set<std::string> methods = AllMethods();
  EXPECT_THAT(methods, Contains("AdminService/Apply"));
  for (const std::string& method : methods) {
    if (method == "AdminService/NodeAction") continue;  // Each action has one.
    EXPECT_TRUE(rows.contains(method)) << method << " has no row in controlplane/trust/roles.cc";
  }
  const auto* actions = v1::NodeActionRequest::Action_descriptor();
  for (int i = 0; i < actions->value_count(); ++i) {
    const std::string row = "AdminService/NodeAction:" + actions->value(i)->name();
    EXPECT_TRUE(rows.contains(row)) << row;
  }
  for (const std::string& row : rows) {
    EXPECT_TRUE(methods.contains(row.substr(0, row.find(':')))) << "no such call: " << row;
  }
}

class AccessTest : public ::testing::Test {
 protected:
  struct Credential {
    std::string certificate_pem, key_pem, token;
    std::map<std::string, std::string> metadata = {};  // Sent along.
  };

  void SetUp() override {
    auto own = trust::OwnTrust::Open(
        {.data_dir = folder_.path(), .grpc_address = "127.0.0.1:0", .names = {}}, sealer_,
        NowUnix());
    ASSERT_TRUE(own.ok()) << own.status();
    own_ = *std::move(own);
    guard_ = std::make_unique<trust::Guard>(trust::Guard::Options{}, setup_.trust_store(),
                                            setup_.store());
    const auto* authority = &own_->authority();
    admin_ = std::make_unique<AdminService>(setup_.controller(), setup_.hub(), setup_.store(),
                                            setup_.trust_store(), *guard_);
    backup_ = std::make_unique<BackupService>(setup_.store(), *guard_);
    control_ = std::make_unique<publish::ControlService>(setup_.hub(), guard_.get());
    enrollment_ = std::make_unique<trust::EnrollmentService>(
        *guard_, setup_.trust_store(), setup_.store(), authority, std::chrono::hours{1});
    tokens_ = std::make_unique<trust::TokenService>(*guard_, setup_.trust_store(), setup_.store(),
                                                    authority);
    grpc::ServerBuilder builder;
    int port = 0;
    credentials_ = std::make_shared<trust::ReloadingServerCredentials>(
        [this] { return own_->server().Current(now_unix_); });
    builder.AddListeningPort("127.0.0.1:0", credentials_, &port);
    for (grpc::Service* service : std::vector<grpc::Service*>{
             admin_.get(), backup_.get(), control_.get(), enrollment_.get(), tokens_.get()}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  void TearDown() override {
    admin_->Stop();
    setup_.hub().Shutdown(1000);
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  Credential CertificateFor(const std::string& uri, const std::string& serial_prefix = "01",
                            int64_t lifetime_s = 3600) const {
    const trust::KeyPtr key = trust::MakeKey().value();
    const auto certificate =
        own_->authority().Issue(key.get(),
                                {.use = trust::CertificateRequest::Use::kClient,
                                 .common_name = "x",
                                 .dns_names = {},
                                 .ip_addresses = {},
                                 .uris = {uri},
                                 .lifetime = std::chrono::seconds{lifetime_s},
                                 .serial_prefix = serial_prefix},
                                NowUnix());
    EXPECT_TRUE(certificate.ok()) << certificate.status();
    return {.certificate_pem = *certificate, .key_pem = trust::PemOf(key.get()).value()};
  }
  std::string AddToken(const std::string& role, const std::string& name, int64_t ttl_ms = 60'000) {
    const auto text = trust::MakeToken(
        role.empty() ? trust::TokenText::Kind::kJoin : trust::TokenText::Kind::kOperator,
        own_->authority().fingerprint());
    const int64_t now = base::UnixMillis();
    store::StoredToken token{.info = {}, .secret_sha256 = trust::HashOfSecret(text.secret)};
    token.info.set_id(text.id);
    token.info.set_role(role);
    token.info.set_name(name);
    token.info.set_expires_unix_ms(static_cast<uint64_t>(now + ttl_ms));
    EXPECT_TRUE(setup_.trust_store().AddToken(token, now).ok());
    return trust::FormatToken(text);
  }
  Credential Enrolled(const std::string& node_id) {
    const std::string token = AddToken("", "");
    store::EnrolledNode node{.node_id = node_id,
                             .enrolment = "4000000000000001",
                             .token = trust::ParseToken(token)->id,
                             .labels = {}};
    node.enrolled_unix_ms = 1;
    EXPECT_TRUE(setup_.trust_store().Enroll("key", node).ok());
    return CertificateFor(trust::NodeUri(node_id), node.enrolment);
  }

  std::shared_ptr<grpc::Channel> ChannelFor(const Credential& credential) const {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = own_->authority().certificate_pem();
    tls.pem_cert_chain = credential.certificate_pem;
    tls.pem_private_key = credential.key_pem;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address_, grpc::SslCredentials(tls), arguments);
  }

  // How a call ends that sends one empty message (of NodeAction: with the action of the row) and
  // has enough after the first answer.
  grpc::Status Call(const Credential& credential, std::string_view row) const {
    const std::string method(row.substr(0, row.find(':')));
    std::string bytes;
    if (method != row) {
      v1::NodeActionRequest request;
      v1::NodeActionRequest::Action action = v1::NodeActionRequest::DRAIN;
      EXPECT_TRUE(
          v1::NodeActionRequest::Action_Parse(std::string(row.substr(row.find(':') + 1)), &action));
      request.set_action(action);
      request.set_node_id("nobody");
      bytes = request.SerializeAsString();
    }
    grpc::GenericStub stub(ChannelFor(credential));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + apply::testing::kDeadline);
    if (!credential.token.empty()) {
      context.AddMetadata("authorization", "Bearer " + credential.token);
    }
    for (const auto& [key, value] : credential.metadata) context.AddMetadata(key, value);
    grpc::CompletionQueue queue;
    const auto next = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      EXPECT_TRUE(queue.Next(&tag, &ok));
      return ok;
    };
    const auto call = stub.PrepareCall(&context, "/sluice.v1." + method, &queue);
    call->StartCall(nullptr);
    if (next()) {
      grpc::Slice slice(bytes);
      call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
      next();
      grpc::ByteBuffer answer;
      call->Read(&answer, nullptr);
      if (next()) context.TryCancel();
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    next();
    queue.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
    return status;
  }

  store::testing::Folder folder_;
  const trust::Sealer sealer_{std::string(32, 'k')};
  int64_t now_unix_ = NowUnix();
  apply::testing::ControllerSetup setup_;
  std::unique_ptr<trust::OwnTrust> own_;
  std::unique_ptr<trust::Guard> guard_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<BackupService> backup_;
  std::unique_ptr<publish::ControlService> control_;
  std::unique_ptr<trust::EnrollmentService> enrollment_;
  std::unique_ptr<trust::TokenService> tokens_;
  std::shared_ptr<trust::ReloadingServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

bool IsRefusal(const grpc::Status& status) {
  return status.error_code() == Code::UNAUTHENTICATED ||
         status.error_code() == Code::PERMISSION_DENIED;
}

TEST_F(AccessTest, EveryCallIsForItsRoleAndThoseAbove) {
  const Credential node = Enrolled("edge-1");
  std::map<Role, std::vector<Credential>> operators;
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    const std::string name(NameOf(role));
    operators[role] = {CertificateFor(trust::OperatorUri(role, "ann")),
                       {.token = AddToken(name, "ann")}};
  }
  for (const trust::Rule& rule : trust::Rules()) {
    SCOPED_TRACE(std::string(rule.method));
    const grpc::Status stranger = Call({}, rule.method);
    if (rule.least == Access::kAnyone) {
      // It is looked at: what it sends is wrong.
      EXPECT_NE(stranger.error_code(), Code::OK);
      EXPECT_EQ(stranger.error_message().find("asks for credentials"), std::string::npos);
      continue;
    }
    EXPECT_EQ(stranger.error_code(), Code::UNAUTHENTICATED);
    EXPECT_THAT(stranger.error_message(), HasSubstr("asks for credentials"));
    EXPECT_EQ(IsRefusal(Call(node, rule.method)), rule.least != Access::kNode);
    for (const auto& [role, credentials] : operators) {
      const bool may = rule.least != Access::kNode && role >= trust::RoleFor(rule.least);
      for (const Credential& credential : credentials) {
        const grpc::Status status = Call(credential, rule.method);
        EXPECT_EQ(IsRefusal(status), !may)
            << NameOf(role) << (credential.token.empty() ? ", certificate: " : ", token: ")
            << status.error_message();
        if (may || rule.least == Access::kNode) continue;
        EXPECT_EQ(status.error_code(), Code::PERMISSION_DENIED);
        EXPECT_THAT(
            status.error_message(),
            AllOf(HasSubstr("ann (" + std::string(NameOf(role)) + ")"),
                  HasSubstr("needs the role " + std::string(NameOf(trust::RoleFor(rule.least))))));
      }
    }
  }
}

TEST_F(AccessTest, TokensThatAreNotGoodAnyMoreAndThoseOfProxiesLetNobodyIn) {
  const std::string revoked = AddToken("admin", "ann");
  ASSERT_TRUE(
      setup_.trust_store().RevokeToken(trust::ParseToken(revoked)->id, base::UnixMillis()).ok());
  const std::string changed = [&] {
    auto token = *trust::ParseToken(AddToken("admin", "ann"));
    token.secret = std::string(64, '0');
    return trust::FormatToken(token);
  }();
  for (const auto& [token, why] :
       std::map<std::string, std::string>{{AddToken("admin", "ann", -1), "has expired"},
                                          {revoked, "has been revoked"},
                                          {changed, "not known here"},
                                          {AddToken("", ""), "join token"},
                                          {"x", "this is no token"}}) {
    const grpc::Status status = Call({.token = token}, "AdminService/GetStatus");
    EXPECT_EQ(status.error_code(), Code::UNAUTHENTICATED) << why;
    EXPECT_THAT(status.error_message(), HasSubstr(why));
  }
}

TEST_F(AccessTest, WhoFailsTooOftenIsNotHeardForAWhileAndCertificatesAreNotTouchedByIt) {
  const std::string good = AddToken("admin", "ann");
  for (int i = 0; i < 15; ++i) Call({.token = "x"}, "AdminService/GetStatus");
  EXPECT_EQ(Call({.token = good}, "AdminService/GetStatus").error_code(), Code::RESOURCE_EXHAUSTED);
  EXPECT_GT(guard_->refused(trust::Refusal::kTooManyFailures), 0u);
  EXPECT_FALSE(IsRefusal(
      Call(CertificateFor(trust::OperatorUri(Role::kAdmin, "ann")), "AdminService/GetStatus")));
}

TEST_F(AccessTest, OfAControllerTheOneItSpeaksForCounts) {
  Credential relay = CertificateFor(trust::ControllerUri("c-2"));
  const std::string bob = CertificateFor(trust::OperatorUri(Role::kViewer, "bob")).certificate_pem;
  // By itself it may do nothing.
  EXPECT_THAT(Call(relay, "AdminService/GetStatus").error_message(), HasSubstr("passes on"));
  relay.metadata = {{relay::kPeerKey, "ipv4:192.0.2.7:99"}};
  EXPECT_THAT(Call(relay, "AdminService/GetStatus").error_message(),
              HasSubstr("asks for credentials"));
  relay.metadata[relay::kCertificateKey] = bob;
  EXPECT_FALSE(IsRefusal(Call(relay, "AdminService/GetStatus")));
  EXPECT_TRUE(IsRefusal(Call(relay, "TokenService/CreateToken")));
  const auto entries = setup_.store().ListAudit(1);
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().author(), "bob");
  EXPECT_EQ(entries->front().peer(), "ipv4:192.0.2.7:99");
  relay.metadata[relay::kCertificateKey] = Enrolled("edge-1").certificate_pem;
  EXPECT_FALSE(IsRefusal(Call(relay, "ControlService/Connect")));
}

TEST_F(AccessTest, NobodyButAControllerSpeaksForOthers) {
  const std::string admin = CertificateFor(trust::OperatorUri(Role::kAdmin, "ann")).certificate_pem;
  const std::map<std::string, std::string> forged = {{relay::kPeerKey, "ipv4:192.0.2.7:99"},
                                                     {relay::kCertificateKey, admin}};
  for (Credential credential :
       {Credential{}, Enrolled("edge-1"), CertificateFor(trust::OperatorUri(Role::kViewer, "eve")),
        CertificateFor(trust::ControllerUri("c-3"), "01", -1)}) {
    credential.metadata = forged;
    const grpc::Status status = Call(credential, "TokenService/CreateToken");
    EXPECT_NE(status.error_code(), Code::OK);
    EXPECT_NE(status.error_code(), Code::INVALID_ARGUMENT) << "it was looked at";
  }
  const auto entries = setup_.store().ListAudit(10);
  ASSERT_TRUE(entries.ok());
  for (const v1::AuditEntry& entry : *entries) {
    EXPECT_NE(entry.author(), "ann");
    EXPECT_THAT(entry.peer(), HasSubstr("127.0.0.1"));
  }
}

TEST_F(AccessTest, TheAuditLogNamesWhoWasProvenAndWhoWasRefused) {
  const Credential bob = CertificateFor(trust::OperatorUri(Role::kOperator, "bob"));
  const auto stub = v1::AdminService::NewStub(ChannelFor(bob));
  v1::ApplyRequest request;
  *request.mutable_document() = apply::testing::DocumentOf(apply::testing::Yaml("one"));
  request.set_author("somebody else");
  grpc::ClientContext context;
  const auto reader = stub->Apply(&context, request);
  v1::ApplyProgress progress;
  while (reader->Read(&progress)) {
  }
  ASSERT_TRUE(reader->Finish().ok());
  ASSERT_EQ(progress.outcome(), v1::ApplyProgress::DONE);
  EXPECT_TRUE(IsRefusal(Call(bob, "TokenService/CreateToken")));
  const auto entries = setup_.store().ListAudit(10);
  ASSERT_EQ(entries->size(), 2u);
  const v1::AuditEntry &refused = (*entries)[0], &applied = (*entries)[1];
  EXPECT_EQ(applied.author(), "bob");
  EXPECT_EQ(applied.role(), "operator");
  EXPECT_EQ(applied.root_before(), "");
  EXPECT_EQ(applied.root_after(), progress.version().root());
  EXPECT_FALSE(applied.refused());
  EXPECT_EQ(refused.author(), "bob");
  EXPECT_EQ(refused.action(), "CreateToken");
  EXPECT_TRUE(refused.refused());
  EXPECT_THAT(refused.peer(), HasSubstr("127.0.0.1"));
  EXPECT_EQ(setup_.store().Current()->author, "bob");
}

TEST_F(AccessTest, NobodyPushesTheAuditLogsOlderRowsOut) {
  const Credential viewer = CertificateFor(trust::OperatorUri(Role::kViewer, "eve"));
  for (int i = 0; i < 60; ++i) Call(viewer, "AdminService/Apply");
  EXPECT_LE(setup_.store().ListAudit(100)->size(), 25u);
  EXPECT_EQ(guard_->refused(trust::Refusal::kRole), 60u);
}

TEST_F(AccessTest, AWatchEndsWhenItsTokenIsRevoked) {
  const std::string token = AddToken("viewer", "eve");
  const auto stub = v1::AdminService::NewStub(ChannelFor({}));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + apply::testing::kDeadline);
  context.AddMetadata("authorization", "Bearer " + token);
  const auto reader = stub->WatchStatus(&context, {});
  v1::FleetStatus status;
  ASSERT_TRUE(reader->Read(&status));
  ASSERT_TRUE(
      setup_.trust_store().RevokeToken(trust::ParseToken(token)->id, base::UnixMillis()).ok());
  while (reader->Read(&status)) {
  }
  const grpc::Status end = reader->Finish();
  EXPECT_EQ(end.error_code(), Code::UNAUTHENTICATED);
  EXPECT_THAT(end.error_message(), HasSubstr("has been revoked"));
}

TEST_F(AccessTest, WhatOthersWereRefusedIsNotToldToViewers) {
  EXPECT_TRUE(IsRefusal(
      Call(CertificateFor(trust::OperatorUri(Role::kViewer, "bob")), "TokenService/CreateToken")));
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    const auto admin =
        v1::AdminService::NewStub(ChannelFor(CertificateFor(trust::OperatorUri(role, "ann"))));
    grpc::ClientContext context;
    v1::GetDiagnosticsResponse response;
    ASSERT_TRUE(admin->GetDiagnostics(&context, {}, &response).ok());
    const bool may = role != Role::kViewer;
    EXPECT_EQ(response.recent_problems_withheld(), !may);
    const auto& lines = response.recent_problems();
    EXPECT_EQ(std::any_of(lines.begin(), lines.end(),
                          [](const std::string& line) {
                            return line.find("bob (viewer)") != std::string::npos;
                          }),
              may);
    EXPECT_THAT(response.metrics_text(), HasSubstr("sluice_controller_streams"));
  }
}

TEST_F(AccessTest, WhoActsOnARolloutIsWhoWasProven) {
  const Credential bob = CertificateFor(trust::OperatorUri(Role::kOperator, "bob"));
  const auto stub = v1::AdminService::NewStub(ChannelFor(bob));
  v1::RolloutActionRequest request;
  request.set_action(v1::RolloutActionRequest::ABORT);
  request.set_author("somebody else");
  grpc::ClientContext context;
  v1::Rollout rollout;
  EXPECT_EQ(stub->ActOnRollout(&context, request, &rollout).error_code(),
            Code::FAILED_PRECONDITION);
  const auto entries = setup_.store().ListAudit(10);
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().author(), "bob");
  EXPECT_EQ(entries->front().role(), "operator");
  EXPECT_THAT(entries->front().peer(), HasSubstr("127.0.0.1"));
  EXPECT_EQ(entries->front().action(), "rollout");
}

TEST_F(AccessTest, ANodeIsOnlyWhatItsCertificateSays) {
  const Credential node = Enrolled("edge-1");
  const auto stub = v1::ControlService::NewStub(ChannelFor(node));
  grpc::ClientContext context;
  const auto stream = stub->Connect(&context);
  v1::ProxyMessage hello;
  hello.mutable_hello()->set_node_id("edge-2");
  hello.mutable_hello()->set_protocol_version(1);
  stream->Write(hello);
  v1::ControllerMessage message;
  while (stream->Read(&message)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), Code::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("is for node edge-1"));
  EXPECT_EQ(setup_.hub().Status("").nodes_size(), 0);
}

TEST_F(AccessTest, ANodeThatIsRemovedIsCutOff) {
  const Credential node = Enrolled("edge-1");
  const auto stub = v1::ControlService::NewStub(ChannelFor(node));
  grpc::ClientContext context;
  const auto stream = stub->Connect(&context);
  v1::ProxyMessage hello;
  hello.mutable_hello()->set_node_id("edge-1");
  hello.mutable_hello()->set_protocol_version(1);
  stream->Write(hello);
  v1::ControllerMessage message;
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_TRUE(message.has_welcome());
  const auto admin = v1::AdminService::NewStub(
      ChannelFor(CertificateFor(trust::OperatorUri(Role::kAdmin, "ann"))));
  grpc::ClientContext remove;
  v1::NodeActionRequest request;
  request.set_node_id("edge-1");
  request.set_action(v1::NodeActionRequest::REMOVE);
  v1::NodeActionResponse response;
  const grpc::Status removed = admin->NodeAction(&remove, request, &response);
  ASSERT_TRUE(removed.ok()) << removed.error_message();
  while (stream->Read(&message)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), Code::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("sluicectl token create --node-id edge-1"));
  EXPECT_EQ(setup_.hub().Status("").nodes_size(), 0);
  EXPECT_EQ(Call(node, "ControlService/Connect").error_code(), Code::PERMISSION_DENIED);
  EXPECT_EQ(Call(node, "EnrollmentService/Renew").error_code(), Code::PERMISSION_DENIED);
}

TEST_F(AccessTest, ARenewedServerCertificateIsUsedByTheNextConnection) {
  const Credential admin = CertificateFor(trust::OperatorUri(Role::kAdmin, "ann"));
  const auto old_channel = ChannelFor(admin);
  const auto get_status = [](const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    v1::FleetStatus status;
    return v1::AdminService::NewStub(channel)->GetStatus(&context, {}, &status);
  };
  ASSERT_TRUE(get_status(old_channel).ok());
  ASSERT_TRUE(get_status(ChannelFor(admin)).ok());
  const auto before = own_->server().Current(now_unix_);
  now_unix_ += 61 * 24 * 3600;  // Two thirds of ninety days are over.
  // By this test's clock the new one is not valid yet: that it is refused shows that it was given.
  EXPECT_EQ(get_status(ChannelFor(admin)).error_code(), Code::UNAVAILABLE);
  EXPECT_NE(own_->server().Current(now_unix_), before);
  EXPECT_TRUE(get_status(old_channel).ok());
}

}  // namespace
}  // namespace sluice::admin
