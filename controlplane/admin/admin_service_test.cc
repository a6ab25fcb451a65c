#include "controlplane/admin/admin_service.h"

#include <gmock/gmock.h>

#include <thread>

#include "common/base/log.h"
#include "common/base/version.h"
#include "common/config/testing_certificates.h"
#include "controlplane/apply/testing_setup.h"
#include "sluice/v1/certificate.pb.h"

namespace sluice::admin {
namespace {

using apply::testing::ControllerSetup;
using apply::testing::DocumentOf;
using apply::testing::kDeadline;
using apply::testing::TestNode;
using apply::testing::Yaml;
using ::testing::HasSubstr;
using ::testing::Not;
using Progress = v1::ApplyProgress;

class AdminServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setup_.Serve([this](ControllerSetup& setup) {
      auto service = std::make_unique<AdminService>(setup.controller(), setup.hub(), setup.store(),
                                                    setup.trust_store(), setup.guard());
      service_ = service.get();
      return service;
    });
    stub_ = v1::AdminService::NewStub(setup_.NewChannel());
  }
  void TearDown() override { service_->Stop(); }

  std::vector<Progress> Apply(const v1::ApplyRequest& request) {
    grpc::ClientContext context;
    const auto reader = stub_->Apply(&context, request);
    std::vector<Progress> steps(1);
    while (reader->Read(&steps.back())) steps.emplace_back();
    steps.pop_back();
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_FALSE(steps.empty());
    return steps.empty() ? std::vector<Progress>(1) : steps;
  }
  Progress Apply(const std::string& word, bool wait = true) {
    v1::ApplyRequest request;
    *request.mutable_document() = DocumentOf(Yaml(word));
    request.set_author("ann");
    request.set_message("a message");
    request.set_wait(wait);
    return Apply(request).back();
  }
  grpc::Status NodeAction(const std::string& node, v1::NodeActionRequest::Action action,
                          v1::NodeActionResponse* response, const std::string& argument = "") {
    grpc::ClientContext context;
    v1::NodeActionRequest request;
    request.set_node_id(node);
    request.set_action(action);
    request.set_argument(argument);
    request.set_author("ann");
    return stub_->NodeAction(&context, request, response);
  }

  ControllerSetup setup_;
  AdminService* service_ = nullptr;
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

TEST_F(AdminServiceTest, ValidateTellsAllProblems) {
  grpc::ClientContext context;
  v1::ValidateRequest request;
  *request.mutable_document() = DocumentOf("services: [{nam: x}]");
  v1::ValidateResponse response;
  ASSERT_TRUE(stub_->Validate(&context, request, &response).ok());
  EXPECT_GT(response.problems_size(), 0);
  EXPECT_EQ(setup_.store().CountVersions().value(), 0);
}

TEST_F(AdminServiceTest, ApplyWithWaitShowsNodesUntilTheyAreEffective) {
  const auto node = setup_.Connect({});
  const Progress last = Apply("one");
  EXPECT_EQ(last.outcome(), Progress::DONE);
  EXPECT_EQ(last.nodes(0).stage(), v1::NodeProgress::EFFECTIVE);
  EXPECT_EQ(node->version().revision(), 1u);
}

TEST_F(AdminServiceTest, ProgressIsStreamedWhileANodeIsSlow) {
  const auto slow = setup_.Connect({.automatic = false});
  v1::ApplyRequest request;
  *request.mutable_document() = DocumentOf(Yaml("one"));
  request.set_wait(true);
  grpc::ClientContext context;
  const auto reader = stub_->Apply(&context, request);
  Progress step;
  ASSERT_TRUE(reader->Read(&step));
  EXPECT_EQ(step.outcome(), Progress::RUNNING);
  EXPECT_EQ(step.nodes(0).stage(), v1::NodeProgress::OFFERED);
  ASSERT_TRUE(slow->WaitForA(v1::ControllerMessage::kPrepare));
  v1::ProxyMessage answer;
  answer.mutable_prepared()->set_root(step.version().root());
  slow->Send(answer);
  ASSERT_TRUE(slow->WaitForA(v1::ControllerMessage::kCommit));
  *answer.mutable_effective()->mutable_version() = step.version();
  slow->Send(answer);
  while (reader->Read(&step)) {
  }
  EXPECT_EQ(step.outcome(), Progress::DONE) << step.message();
}

TEST_F(AdminServiceTest, AClientThatGoesDoesNotStopTheChange) {
  const auto slow = setup_.Connect({.automatic = false});
  v1::ApplyRequest request;
  *request.mutable_document() = DocumentOf(Yaml("one"));
  request.set_wait(true);
  std::string root;
  {
    grpc::ClientContext context;
    const auto reader = stub_->Apply(&context, request);
    Progress step;
    ASSERT_TRUE(reader->Read(&step));
    root = step.version().root();
    context.TryCancel();
  }
  ASSERT_TRUE(slow->WaitForA(v1::ControllerMessage::kPrepare));
  v1::ProxyMessage answer;
  answer.mutable_prepared()->set_root(root);
  slow->Send(answer);
  EXPECT_TRUE(setup_.WaitFor([&] { return setup_.store().Current().ok(); }));
}

TEST_F(AdminServiceTest, RollbackAndHistory) {
  Apply("one");
  Apply("two");
  grpc::ClientContext context;
  v1::RollbackRequest request;
  request.set_author("bob");
  const auto reader = stub_->Rollback(&context, request);
  Progress step;
  while (reader->Read(&step)) {
  }
  EXPECT_EQ(step.outcome(), Progress::DONE);
  grpc::ClientContext list;
  v1::ListVersionsResponse versions;
  ASSERT_TRUE(stub_->ListVersions(&list, {}, &versions).ok());
  ASSERT_EQ(versions.versions_size(), 3);
  EXPECT_EQ(versions.versions(0).source(), "rollback");
  EXPECT_EQ(versions.versions(0).author(), "bob");
  EXPECT_EQ(versions.versions(0).state(), "current");
  EXPECT_EQ(versions.versions(1).state(), "superseded");
  EXPECT_EQ(versions.versions(2).message(), "a message");
}

TEST_F(AdminServiceTest, StatusShowsTheFleet) {
  const auto node = setup_.Connect({});
  Apply("one");
  grpc::ClientContext context;
  v1::FleetStatus status;
  ASSERT_TRUE(stub_->GetStatus(&context, {}, &status).ok());
  EXPECT_EQ(status.version().revision(), 1u);
  EXPECT_EQ(status.author(), "ann");
  ASSERT_EQ(status.nodes_size(), 1);
  EXPECT_EQ(status.nodes(0).state(), v1::NodeStatus::SYNCED);
  EXPECT_THAT(status.nodes(0).peer_address(), HasSubstr("127.0.0.1"));
  EXPECT_NE(status.controller_version(), "");
  grpc::ClientContext unknown;
  v1::GetStatusRequest request;
  request.set_node_id("nobody");
  EXPECT_EQ(stub_->GetStatus(&unknown, request, &status).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(AdminServiceTest, WatchingShowsChangesAsTheyCome) {
  grpc::ClientContext context;
  const auto reader = stub_->WatchStatus(&context, {});
  v1::FleetStatus status;
  ASSERT_TRUE(reader->Read(&status));
  EXPECT_EQ(status.version().revision(), 0u);
  Apply("one");
  while (status.version().revision() != 1) ASSERT_TRUE(reader->Read(&status));
  const auto node = setup_.Connect({});
  while (status.nodes_size() != 1) ASSERT_TRUE(reader->Read(&status));
  context.TryCancel();
}

TEST_F(AdminServiceTest, WatchersAreLimitedAndLeaveTheOthersRoom) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::FleetStatus>>> readers;
  v1::FleetStatus status;
  for (int i = 0; i < AdminService::kLongCallsMax; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(stub_->WatchStatus(contexts.back().get(), {}));
    ASSERT_TRUE(readers.back()->Read(&status)) << i;
  }
  grpc::ClientContext one_more;
  const auto refused = stub_->WatchStatus(&one_more, {});
  EXPECT_FALSE(refused->Read(&status));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  grpc::ClientContext context;
  EXPECT_TRUE(stub_->GetStatus(&context, {}, &status).ok());
  for (const auto& open : contexts) open->TryCancel();
}

TEST_F(AdminServiceTest, ConfigComesWithoutKeys) {
  Apply("one");
  // A version with a certificate, as a build makes it.
  const auto made = config::testing_certificates::MakeSelfSigned();
  v1::Certificate certificate;
  certificate.set_name("site");
  certificate.set_chain_pem(made.chain_pem);
  certificate.set_key_pem("SECRET");
  snapshot::Resources resources = {
      snapshot::MakeResource(v1::RESOURCE_KIND_CERTIFICATE, "site", certificate)};
  store::StoredVersion version;
  version.version.set_root(snapshot::RootOf(resources));
  ASSERT_TRUE(setup_.store().Add(&version, resources, DocumentOf("text")).ok());
  grpc::ClientContext context;
  v1::GetConfigRequest request;
  request.set_revision(2);
  v1::GetConfigResponse response;
  ASSERT_TRUE(stub_->GetConfig(&context, request, &response).ok());
  EXPECT_THAT(response.SerializeAsString(), Not(HasSubstr("SECRET")));
  EXPECT_THAT(response.SerializeAsString(), HasSubstr(made.chain_pem));
  EXPECT_EQ(response.files(0).content(), "text");
  request.set_revision(99);
  grpc::ClientContext unknown;
  EXPECT_EQ(stub_->GetConfig(&unknown, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(AdminServiceTest, ExplainAnswersFromTheVersionAndFromTheNode) {
  grpc::ClientContext nothing;
  v1::ExplainRequest request;
  request.set_method("GET");
  request.set_url("http://any.test:18080/r0/x");
  v1::ExplainResponse response;
  EXPECT_EQ(stub_->Explain(&nothing, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  Apply("one");
  const auto node = setup_.Connect({});
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Explain(&context, request, &response).ok());
  EXPECT_EQ(response.route(), "r0");
  EXPECT_EQ(response.status(), 200u);
  EXPECT_EQ(response.node_json(), "");
  request.set_node_id("n1");
  grpc::ClientContext asking;
  ASSERT_TRUE(stub_->Explain(&asking, request, &response).ok());
  EXPECT_EQ(response.node_json(), "{\"answer\": 42}");
}

TEST_F(AdminServiceTest, NodeActionsReachTheNodeAndTheAuditLog) {
  auto node = setup_.Connect({});
  v1::NodeActionResponse response;
  EXPECT_TRUE(NodeAction("n1", v1::NodeActionRequest::DRAIN, &response).ok());
  EXPECT_TRUE(NodeAction("n1", v1::NodeActionRequest::LOG_LEVEL, &response, "debug").ok());
  const grpc::Status dump = NodeAction("n1", v1::NodeActionRequest::DUMP, &response, "config");
  EXPECT_EQ(dump.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(dump.error_message(), HasSubstr("no dump here"));
  EXPECT_EQ(NodeAction("nobody", v1::NodeActionRequest::DRAIN, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(NodeAction("n1", v1::NodeActionRequest::LOG_LEVEL, &response, std::string(5000, 'x'))
                .error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(NodeAction("n1", v1::NodeActionRequest::REMOVE, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  node.reset();
  ASSERT_TRUE(setup_.WaitFor(
      [&] { return setup_.hub().Status("n1").nodes(0).state() == v1::NodeStatus::UNREACHABLE; }));
  EXPECT_TRUE(NodeAction("n1", v1::NodeActionRequest::REMOVE, &response).ok());
  EXPECT_EQ(setup_.hub().Status("").nodes_size(), 0);
  EXPECT_TRUE(setup_.store().Nodes()->empty());

  grpc::ClientContext context;
  v1::ListAuditRequest request;
  request.set_limit(10);
  v1::ListAuditResponse audit;
  ASSERT_TRUE(stub_->ListAudit(&context, request, &audit).ok());
  ASSERT_EQ(audit.entries_size(), 3) << "what failed changed nothing";
  EXPECT_EQ(audit.entries(0).action(), "node REMOVE");
  EXPECT_EQ(audit.entries(1).detail(), "n1 debug");
  EXPECT_EQ(audit.entries(2).action(), "node DRAIN");
  EXPECT_EQ(audit.entries(2).author(), "ann");
}

TEST_F(AdminServiceTest, NodesAreCordonedAndLabelled) {
  auto node = setup_.Connect({});
  v1::NodeActionResponse response;
  EXPECT_TRUE(NodeAction("n1", v1::NodeActionRequest::CORDON, &response).ok());
  EXPECT_TRUE(NodeAction("n1", v1::NodeActionRequest::LABEL, &response, "zone=a").ok());
  v1::NodeStatus status = setup_.hub().Status("n1").nodes(0);
  EXPECT_TRUE(status.cordoned());
  EXPECT_EQ(status.labels_set().at("zone"), "a");
  EXPECT_TRUE(NodeAction("n1", v1::NodeActionRequest::UNCORDON, &response).ok());
  EXPECT_FALSE(setup_.hub().Status("n1").nodes(0).cordoned());
  EXPECT_EQ(NodeAction("n1", v1::NodeActionRequest::LABEL, &response, "zone").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(NodeAction("nobody", v1::NodeActionRequest::CORDON, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  const auto audit = setup_.store().ListAudit(10);
  ASSERT_TRUE(audit.ok());
  ASSERT_EQ(audit->size(), 3u);
  EXPECT_EQ(audit->at(1).action(), "node LABEL");
  EXPECT_EQ(audit->at(1).detail(), "n1 zone=a");
}

TEST_F(AdminServiceTest, DiagnosticsTellOfTheControllerItself) {
  base::LogError("something for the diagnostics");
  grpc::ClientContext context;
  v1::GetDiagnosticsResponse diagnostics;
  ASSERT_TRUE(stub_->GetDiagnostics(&context, {}, &diagnostics).ok());
  EXPECT_EQ(diagnostics.build(), base::BuildInfo());
  EXPECT_THAT(diagnostics.system(), ::testing::StartsWith("Linux "));
  EXPECT_THAT(diagnostics.metrics_text(), ::testing::HasSubstr("sluice_controller_streams"));
  EXPECT_THAT(diagnostics.recent_problems(),
              ::testing::Contains(::testing::HasSubstr("something for the diagnostics")));
}

// What is written of a node when it goes must not come behind its removal.
TEST_F(AdminServiceTest, ANodeRemovedOnceItHasGoneStaysRemoved) {
  for (int round = 0; round < 30; ++round) {
    auto node = setup_.Connect({});
    node.reset();
    v1::NodeActionResponse response;
    ASSERT_TRUE(setup_.WaitFor(
        [&] { return NodeAction("n1", v1::NodeActionRequest::REMOVE, &response).ok(); }));
    ASSERT_TRUE(setup_.store().Nodes()->empty()) << "round " << round;
  }
}

}  // namespace
}  // namespace sluice::admin
