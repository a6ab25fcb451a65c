#include "tools/sluicectl/release.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

using Progress = v1::ApplyProgress;
using Stages = std::vector<std::pair<std::string, v1::NodeProgress::Stage>>;

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Progress Make(Progress::Outcome outcome, const Stages& stages, uint64_t elapsed_ms = 214) {
  Progress progress;
  progress.set_outcome(outcome);
  progress.mutable_version()->set_revision(7);
  progress.mutable_version()->set_root("\x3f\xa2\xc1\xb0\x9d\x11\x22");
  progress.set_elapsed_ms(elapsed_ms);
  for (const auto& [id, stage] : stages) {
    v1::NodeProgress* node = progress.add_nodes();
    node->set_node_id(id);
    node->set_stage(stage);
  }
  return progress;
}

// A controller that answers an apply with these messages.
struct Fixture {
  explicit Fixture(std::vector<Progress> script) : messages(std::move(script)) {
    controller.apply = [this](grpc::ServerContext*, const v1::ApplyRequest& got,
                              grpc::ServerWriter<Progress>* writer) {
      request = got;
      for (const Progress& message : messages) writer->Write(message);
      return grpc::Status::OK;
    };
    path = folder.Write("gateway.yaml", "services:\n  - name: api\n");
  }
  RunResult Apply(std::vector<std::string> flags, const RunOptions& options = {}) const {
    flags.insert(flags.begin(), {"apply", "-f", path});
    return controller.Run(flags, options);
  }

  FakeController controller;
  TestFolder folder;
  std::string path;
  std::vector<Progress> messages;
  mutable v1::ApplyRequest request;  // Written by the server, also of a const fixture.
};

const Stages kAllEffective = {{"edge-1", v1::NodeProgress::EFFECTIVE},
                              {"edge-2", v1::NodeProgress::EFFECTIVE},
                              {"edge-3", v1::NodeProgress::EFFECTIVE}};

TEST(ApplyTest, EndsWithTheLineOneCanTrust) {
  const Fixture fixture({Make(Progress::RUNNING, {{"edge-1", v1::NodeProgress::OFFERED}}, 10),
                         Make(Progress::RUNNING, {{"edge-1", v1::NodeProgress::OFFERED}}, 15),
                         Make(Progress::RUNNING, {{"edge-1", v1::NodeProgress::PREPARED}}, 20),
                         Make(Progress::DONE, kAllEffective)});
  const RunResult result = fixture.Apply({"--wait"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(result.out,
            "edge-1: offered (0.010 s)\n"
            "edge-1: prepared (0.020 s)\n"
            "edge-1: effective (0.214 s)\n"
            "edge-2: effective (0.214 s)\n"
            "edge-3: effective (0.214 s)\n"
            "version 7 (root 3fa2c1b09d11…) effective on 3 of 3 nodes in 0.214 s\n");
  EXPECT_EQ(result.error, "");
}

TEST(ApplyTest, SendsEveryFlagAndTheFilesItNames) {
  Fixture fixture({Make(Progress::DONE, {})});
  fixture.path = fixture.folder.Write("tls.yaml",
                                      "services:\n- name: api\n  bind_address: 127.0.0.1:8443\n"
                                      "  tls:\n    enabled: true\n    cert_path: cert.pem\n"
                                      "    key_path: key.pem\n  routes: []\n");
  fixture.folder.Write("cert.pem", "CERT");
  const RunResult result = fixture.Apply({"--wait", "--dry-run=nodes", "--if-version", "6", "-m",
                                          "why", "--partial", "--allow-shrink", "--timeout", "5s"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  const v1::ApplyRequest& request = fixture.request;
  EXPECT_TRUE(request.wait());
  EXPECT_EQ(request.dry_run(), v1::ApplyRequest::NODES);
  EXPECT_EQ(request.if_version(), 6u);
  EXPECT_EQ(request.message(), "why");
  EXPECT_TRUE(request.partial());
  EXPECT_TRUE(request.allow_shrink());
  EXPECT_EQ(request.timeout_ms(), 5000u);
  EXPECT_TRUE(Has(request.author(), "@")) << request.author();
  ASSERT_EQ(request.document().files_size(), 1);
  // key.pem is not here: the controller may have it.
  ASSERT_EQ(request.document().referenced_size(), 1);
  EXPECT_EQ(request.document().referenced(0).path(), "cert.pem");
  EXPECT_EQ(request.document().referenced(0).content(), "CERT");
}

TEST(ApplyTest, ReadsStandardInput) {
  Fixture fixture({Make(Progress::DONE, {})});
  fixture.path = "-";
  EXPECT_EQ(fixture.Apply({}, {.in = "services: []\n"}).code, ExitCode::kDone);
  ASSERT_EQ(fixture.request.document().files_size(), 1);
  EXPECT_EQ(fixture.request.document().files(0).content(), "services: []\n");
}

TEST(ApplyTest, WithoutWaitSaysOnlyWhatIsKnown) {
  const RunResult result = Fixture({Make(Progress::DONE, {})}).Apply({});
  EXPECT_EQ(result.out, "version 7 stored and released\n");
}

TEST(ApplyTest, UnchangedSaysSo) {
  const RunResult result = Fixture({Make(Progress::UNCHANGED, {})}).Apply({"--wait"});
  EXPECT_EQ(result.code, ExitCode::kDone);
  EXPECT_EQ(result.out, "unchanged: version 7 already runs\n");
}

TEST(ApplyTest, WithoutNodesDoesNotClaimTheyAreEffective) {
  const RunResult result = Fixture({Make(Progress::DONE, {})}).Apply({"--wait"});
  EXPECT_EQ(result.out,
            "version 7 (root 3fa2c1b09d11…) stored and released; no node is connected\n");
}

TEST(ApplyTest, RejectionNamesNodeResourceFieldAndYamlLine) {
  Fixture fixture({});
  Progress refused = Make(Progress::REFUSED, {{"edge-2", v1::NodeProgress::REJECTED}});
  refused.set_message("1 node rejected it");
  v1::ResourceError* error = refused.mutable_nodes(0)->add_errors();
  error->mutable_resource()->set_kind(v1::RESOURCE_KIND_LISTENER);
  error->mutable_resource()->set_name("api");
  error->set_field("address");
  error->set_message("address in use\x1b[2J");
  error->set_source(fixture.path + ":2:5");
  fixture.messages = {refused};
  const RunResult result = fixture.Apply({"--wait", "-o", "wide"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_EQ(result.error, fixture.path +
                              ":2:5: rejected by node edge-2: service api: address: "
                              "address in use\\x1b[2J\n"
                              "    2 |   - name: api\n"
                              "            ^\n"
                              "error: not applied: 1 node rejected it; nothing was changed\n");
}

TEST(ApplyTest, InvalidDocumentShowsProblems) {
  Progress invalid = Make(Progress::INVALID, {});
  v1::Problem* problem = invalid.add_problems();
  problem->set_file("gateway.yaml");
  problem->set_line(2);
  problem->set_column(3);
  problem->set_path("services[0]");
  problem->set_message("bind_address is missing");
  const RunResult result = Fixture({invalid}).Apply({});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_EQ(result.error,
            "gateway.yaml:2:3: error: services[0]: bind_address is missing\n"
            "error: not applied: the document has 1 error; nothing was changed\n");
  EXPECT_EQ(result.out, "");
}

TEST(ApplyTest, TimedOutNamesTheNodesBehind) {
  const RunResult result =
      Fixture(
          {Make(Progress::TIMED_OUT,
                {{"edge-1", v1::NodeProgress::EFFECTIVE}, {"edge-2", v1::NodeProgress::LAGGING}},
                60'000)})
          .Apply({"--wait"});
  EXPECT_EQ(result.code, ExitCode::kWaitedInVain);
  EXPECT_TRUE(Has(result.error, "effective on 1 of 2 nodes after 60.0 s; behind: edge-2 (lagging)"))
      << result.error;
}

TEST(ApplyTest, DryRunSaysNothingWasChanged) {
  Progress ok = Make(Progress::DRY_RUN_OK, {{"edge-1", v1::NodeProgress::PREPARED}});
  v1::ResourceChange* change = ok.add_changes();
  change->set_kind(v1::ResourceChange::CHANGED);
  change->mutable_resource()->set_kind(v1::RESOURCE_KIND_CLUSTER);
  change->mutable_resource()->set_name("users");
  change->add_lines("+ endpoints[1].address: 10.0.0.2:80");
  const RunResult result = Fixture({ok}).Apply({"--dry-run", "nodes"});
  EXPECT_EQ(result.code, ExitCode::kDone);
  EXPECT_TRUE(Has(result.out,
                  "~ upstream users\n"
                  "    + endpoints[1].address: 10.0.0.2:80\n"
                  "dry run: valid; 0 added, 1 changed, 0 removed; 1 of 1 node can take it; nothing "
                  "was changed\n"))
      << result.out;
}

TEST(ApplyTest, TerminalShowsALiveBlock) {
  const RunResult result =
      Fixture({Make(Progress::RUNNING, {{"edge-1", v1::NodeProgress::OFFERED}}),
               Make(Progress::DONE, {{"edge-1", v1::NodeProgress::EFFECTIVE}})})
          .Apply({"--wait"}, {.terminal = true});
  EXPECT_EQ(result.code, ExitCode::kDone);
  EXPECT_TRUE(Has(result.out, "offered"));
  EXPECT_TRUE(Has(result.out, "\x1b[1A")) << "drawn over";
  EXPECT_TRUE(Has(result.out,
                  "\x1b[32mversion 7 (root 3fa2c1b09d11…) effective on 1 of 1 node in "
                  "0.214 s\x1b[0m\n"));
  EXPECT_FALSE(Has(result.out, "edge-1: "));
}

TEST(ApplyTest, JsonIsOneValueAndNothingElse) {
  const RunResult result =
      Fixture({Make(Progress::RUNNING, kAllEffective), Make(Progress::DONE, kAllEffective)})
          .Apply({"--wait", "-o", "json"});
  const nlohmann::json json = nlohmann::json::parse(result.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << result.out;
  EXPECT_EQ(json["outcome"], "DONE");
  EXPECT_EQ(json["nodes"].size(), 3u);
}

TEST(ApplyTest, RefusalByStatusIsExitOneInTheControllersWords) {
  Fixture fixture({});
  fixture.controller.apply = [](grpc::ServerContext*, const v1::ApplyRequest&,
                                grpc::ServerWriter<Progress>*) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "version 8 is current, not 6");
  };
  const RunResult result = fixture.Apply({});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_EQ(result.error, "error: version 8 is current, not 6\n");
}

TEST(ApplyTest, StreamThatEndsEarlyIsNoSuccess) {
  const RunResult result =
      Fixture({Make(Progress::RUNNING, {{"edge-1", v1::NodeProgress::APPLIED}})}).Apply({"--wait"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(result.error, "without an outcome")) << result.error;
}

TEST(ApplyTest, SilentControllerIsWaitedForInVain) {
  Fixture fixture({});
  fixture.controller.apply = [](grpc::ServerContext* context, const v1::ApplyRequest&,
                                grpc::ServerWriter<Progress>* writer) {
    writer->Write(Make(Progress::RUNNING, {{"edge-1", v1::NodeProgress::WAITING}}));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  };
  const RunResult result = fixture.Apply({"--wait", "--timeout", "1ms"});
  EXPECT_EQ(result.code, ExitCode::kWaitedInVain) << result.error;
  EXPECT_TRUE(Has(result.error, "did not answer in time")) << result.error;
}

TEST(RollbackTest, SendsTheTargetAndFollowsTheOutcome) {
  FakeController controller;
  v1::RollbackRequest request;
  controller.rollback = [&request](grpc::ServerContext*, const v1::RollbackRequest& got,
                                   grpc::ServerWriter<Progress>* writer) {
    request = got;
    writer->Write(Make(Progress::DONE, kAllEffective));
    return grpc::Status::OK;
  };
  const RunResult result = controller.Run({"rollback", "--to", "5", "--wait", "-m", "bad"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(request.to_revision(), 5u);
  EXPECT_EQ(request.message(), "bad");
  EXPECT_TRUE(request.wait());
  EXPECT_TRUE(Has(result.out, "effective on 3 of 3 nodes")) << result.out;
}

TEST(DiffTest, PrintsChangesAndCounts) {
  FakeController controller;
  controller.diff = [](const v1::DiffRequest& request, v1::DiffResponse* response) {
    EXPECT_EQ(request.from_revision(), 3u);
    response->set_against_revision(3);
    v1::ResourceChange* change = response->add_changes();
    change->set_kind(v1::ResourceChange::ADDED);
    change->mutable_resource()->set_kind(v1::RESOURCE_KIND_ROUTE_TABLE);
    change->mutable_resource()->set_name("api");
    return grpc::Status::OK;
  };
  const RunResult result = controller.Run({"diff", "--from", "3"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(result.out, "+ routes of api\n1 added, 0 changed, 0 removed against version 3\n");
}

}  // namespace
}  // namespace sluice::sluicectl
