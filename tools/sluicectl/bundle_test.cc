#include "tools/sluicectl/bundle.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <map>
#include <nlohmann/json.hpp>

#include "sluice/v1/certificate.pb.h"
#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

constexpr char kPlanted[] = "hunter2";  // In every secret.

void AddNode(v1::FleetStatus* status, const std::string& id, v1::NodeStatus::State state) {
  v1::NodeStatus* node = status->add_nodes();
  node->set_node_id(id);
  node->set_state(state);
  node->set_reason("connect to http://u:hunter2@host: refused");
  node->mutable_report()->add_last_errors("Authorization: Bearer hunter2hunter2");
  node->mutable_report()->add_last_errors("joining by sluice-join-1.ab12cd34ef56.hunter2.00ff");
}

v1::FleetStatus Fleet() {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  status.set_message("new token=hunter2");
  AddNode(&status, "edge-1", v1::NodeStatus::SYNCED);
  AddNode(&status, "edge-2", v1::NodeStatus::UNREACHABLE);
  AddNode(&status, "../../etc", v1::NodeStatus::SYNCED);
  AddNode(&status, "silent", v1::NodeStatus::LAGGING);
  return status;
}

class BundleTest : public ::testing::Test {
 protected:
  BundleTest() {
    controller_.get_status = [](const v1::GetStatusRequest&, v1::FleetStatus* response) {
      *response = Fleet();
      return grpc::Status::OK;
    };
    controller_.list_versions = [](const v1::ListVersionsRequest&,
                                   v1::ListVersionsResponse* response) {
      response->add_versions()->set_message("password: hunter2");
      return grpc::Status::OK;
    };
    controller_.list_audit = [](const v1::ListAuditRequest&, v1::ListAuditResponse* response) {
      response->add_entries()->set_detail("api_key=hunter2");
      response->add_entries()->set_detail("made sluice-operator-1.ab12cd34ef56.hunter2 for ann");
      return grpc::Status::OK;
    };
    controller_.get_rollout = [](const v1::GetRolloutRequest&, v1::Rollout* response) {
      response->mutable_version()->set_revision(8);
      response->set_reason("aborted: token=hunter2");
      return grpc::Status::OK;
    };
    controller_.get_diagnostics = [](const v1::GetDiagnosticsRequest&,
                                     v1::GetDiagnosticsResponse* response) {
      response->set_build("0.1.0");
      response->set_metrics_text("sluice_controller_streams 2\n");
      response->add_recent_problems("warn webhook https://x:hunter2@hook failed");
      response->add_recent_problems("error SLUICE_CONTROLLER_SEAL_KEY=hunter2 is no key");
      return grpc::Status::OK;
    };
    controller_.get_config = [](const v1::GetConfigRequest&, v1::GetConfigResponse* response) {
      v1::SourceFile* file = response->add_files();
      file->set_path("/etc/sluice/web.yaml");
      file->set_content(
          "# -----BEGIN PRIVATE KEY-----\n# hunter2\n# -----END PRIVATE KEY-----\n"
          "upstreams: [{name: a, nodes: [{addr: 'u:hunter2@10.0.0.1:80'}]}]\n"
          "headers:\n  - {name: Authorization, value: 'Bearer hunter2'}\n"
          "# sluice sealed 1\n# hunter2\n");
      v1::Certificate certificate;
      certificate.set_name("site.pem");
      certificate.set_chain_pem(
          "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
          "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n");
      certificate.set_key_pem("hunter2");
      v1::Resource* resource = response->add_resources();
      resource->set_kind(v1::RESOURCE_KIND_CERTIFICATE);
      resource->set_name("site.pem");
      resource->set_body(certificate.SerializeAsString());
      return grpc::Status::OK;
    };
    controller_.node_action = [this](const v1::NodeActionRequest& request,
                                     v1::NodeActionResponse* response) {
      asked_.push_back(request.node_id() + " " + request.argument());
      if (request.node_id() == "silent") {
        return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "silent did not answer");
      }
      response->set_json(R"({"x": {"key_pem": "hunter2"}, "kept": "plain"})");
      return grpc::Status::OK;
    };
  }

  Bundle Collect(BundleOptions options = {}) {
    options.folder = "f";
    GlobalOptions global;
    global.controller = controller_.address();
    global.insecure = true;
    auto client = ControllerClient::Create(global);
    EXPECT_TRUE(client.ok());
    return CollectBundle(**client, Fleet(), options, kTestNowMs);
  }

  static std::map<std::string, std::string> FilesOf(const Bundle& bundle) {
    std::map<std::string, std::string> files;
    for (const ArchiveFile& file : bundle.files) files[file.path] = file.content;
    return files;
  }

  FakeController controller_;
  std::vector<std::string> asked_;  // Written by the server, one call at a time.
};

TEST_F(BundleTest, HoldsWhatAReportNeedsAndNoSecret) {
  const auto files = FilesOf(Collect());
  std::vector<std::string> names;
  for (const auto& [name, content] : files) {
    names.push_back(name);
    EXPECT_THAT(content, Not(HasSubstr(kPlanted))) << name;
    EXPECT_TRUE(!name.ends_with(".json") || Json::accept(content)) << name;
  }
  EXPECT_THAT(names,
              IsSupersetOf({"f/README.txt", "f/status.json", "f/status.txt", "f/history.json",
                            "f/audit.json", "f/config.json", "f/rollout.json",
                            "f/document/_etc_sluice_web.yaml", "f/controller/metrics.txt",
                            "f/controller/problems.txt", "f/controller/build.txt",
                            "f/nodes/edge-1/config.json", "f/nodes/edge-1/clusters.json",
                            "f/nodes/edge-1/listeners.json", "f/nodes/edge-1/stats.json",
                            "f/nodes/edge-1/status.json", "f/nodes/edge-2/status.json"}));
  EXPECT_THAT(files.at("f/nodes/edge-1/config.json"), HasSubstr("\"kept\": \"plain\""));
  EXPECT_THAT(files.at("f/controller/metrics.txt"), HasSubstr("sluice_controller_streams 2"));
  EXPECT_THAT(files.at("f/config.json"), HasSubstr("BEGIN CERTIFICATE"));
}

// However the document writes a secret, it is not in what the controller and the nodes say either.
TEST_F(BundleTest, WhatTheDocumentHoldsUnderSecretNamesIsInNoFile) {
  const std::vector<std::string> planted = {"correct-horse-1", "battery staple",   "folded into-9",
                                            "anchored-value",  "nine\"and'ninety", "over-lines-77"};
  const auto said = [planted] {
    std::string text;
    for (const std::string& secret : planted) text += " " + secret;
    return text;
  }();
  controller_.get_config = [said](const v1::GetConfigRequest&, v1::GetConfigResponse* response) {
    response->mutable_info()->set_message(said);
    response->add_files()->set_content(
        "x: {a: 1, ? token : correct-horse-1, deep: [{passwords: [battery staple]}]}\n"
        "secret: >-\n  folded\n  into-9\n"
        "plain: &a anchored-value\nother: [{name: X-Api-Key, value: *a}]\n"
        "api_key: \"nine\\x22and'ninety\"\nclient_secret: |\n  over-\n  over-lines-77\n");
    return grpc::Status::OK;
  };
  controller_.get_diagnostics = [said](const v1::GetDiagnosticsRequest&,
                                       v1::GetDiagnosticsResponse* response) {
    response->add_recent_problems("upstream said" + said);
    return grpc::Status::OK;
  };
  controller_.list_audit = [said](const v1::ListAuditRequest&, v1::ListAuditResponse*) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "cannot:" + said);
  };
  controller_.node_action = [said](const v1::NodeActionRequest&, v1::NodeActionResponse* response) {
    response->set_json(Json({{said, {said}}}).dump());
    return grpc::Status::OK;
  };
  const Bundle bundle = Collect();
  EXPECT_THAT(bundle.missing, Contains(HasSubstr("the audit log: cannot: [redacted]")));
  for (const auto& [name, content] : FilesOf(bundle)) {
    for (const std::string& secret : planted) EXPECT_THAT(content, Not(HasSubstr(secret))) << name;
    EXPECT_THAT(content, Not(HasSubstr("ninety"))) << name;
    EXPECT_TRUE(!name.ends_with(".json") || Json::accept(content)) << name;
  }
}

TEST_F(BundleTest, AViewerIsToldThatTheLastErrorsAreMissing) {
  controller_.get_diagnostics = [](const v1::GetDiagnosticsRequest&,
                                   v1::GetDiagnosticsResponse* response) {
    response->set_metrics_text("sluice_controller_streams 2\n");
    response->set_recent_problems_withheld(true);
    return grpc::Status::OK;
  };
  const auto files = FilesOf(Collect());
  EXPECT_THAT(files.at("f/README.txt"), HasSubstr("the controller's last errors: they need"));
  EXPECT_TRUE(files.contains("f/controller/metrics.txt"));
  EXPECT_FALSE(files.contains("f/controller/problems.txt"));
}

TEST_F(BundleTest, NamesOfStrangersStayInTheirFolder) {
  for (const auto& [name, content] : FilesOf(Collect())) {
    EXPECT_THAT(name, Not(HasSubstr(".."))) << name;
    EXPECT_EQ(name.rfind("f/", 0), 0u) << name;
  }
  EXPECT_EQ(SafeFileName("/etc/x y.yaml"), "_etc_x_y.yaml");
  EXPECT_EQ(SafeFileName(".hidden"), "_.hidden");
  EXPECT_EQ(SafeFileName(""), "_");
  EXPECT_EQ(SafeFileName(std::string(200, 'a')).size(), 64u);
}

TEST_F(BundleTest, SaysWhatItCouldNotHave) {
  const Bundle bundle = Collect();
  ASSERT_EQ(bundle.missing.size(), 2u);
  EXPECT_THAT(bundle.missing, Contains(HasSubstr("dumps of node edge-2: it is unreachable")));
  EXPECT_THAT(bundle.missing,
              Contains(HasSubstr("dump 'config' and what follows it of node silent")));
  EXPECT_THAT(FilesOf(bundle).at("f/README.txt"), HasSubstr("dumps of node edge-2"));
  // Nobody waits four times for a node that does not answer.
  EXPECT_EQ(std::count_if(asked_.begin(), asked_.end(),
                          [](const auto& line) { return line.rfind("silent", 0) == 0; }),
            1);
}

TEST_F(BundleTest, TakesNodesInTroubleFirstOrThoseNamed) {
  BundleOptions two;
  two.nodes_max = 2;
  EXPECT_THAT(Collect(two).missing, Contains(HasSubstr("dumps of 2 more nodes")));
  EXPECT_THAT(asked_, ElementsAre("silent config"));
  asked_.clear();
  BundleOptions named;
  named.nodes = {"edge-1", "nobody"};
  EXPECT_THAT(Collect(named).missing,
              ElementsAre("node nobody: the controller knows no such node"));
  EXPECT_EQ(asked_.size(), 4u);
}

TEST_F(BundleTest, AnOlderControllerGivesWhatItHas) {
  controller_.get_diagnostics = nullptr;
  controller_.list_audit = nullptr;
  controller_.get_rollout = nullptr;
  const Bundle bundle = Collect();
  EXPECT_THAT(bundle.missing, Not(Contains(HasSubstr("rollout")))) << "there may have been none";
  EXPECT_THAT(bundle.missing, Contains(HasSubstr("metrics and last errors: the controller at")));
  EXPECT_THAT(bundle.missing, Contains(HasSubstr("the audit log: ")));
}

TEST_F(BundleTest, TheVerbWritesAFileForItsOwnerOnly) {
  const TestFolder folder;
  const std::string path = folder.path() + "/b.tar.gz";
  const RunResult result = controller_.Run({"support-bundle", "--file", path});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_THAT(result.out, HasSubstr("missing: dumps of node edge-2"));
  EXPECT_THAT(result.out, HasSubstr(path + ": "));
  EXPECT_THAT(result.out, Not(HasSubstr(kPlanted)));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_GT(info.st_size, 100);
  const RunResult json = controller_.Run({"support-bundle", "--file", path, "-o", "json"});
  EXPECT_EQ(Json::parse(json.out, nullptr, false)["file"], path) << json.out << json.error;
  EXPECT_EQ(controller_.Run({"support-bundle", "--file", "/nonexistent/x"}).code,
            ExitCode::kFailed);
}

}  // namespace
}  // namespace sluice::sluicectl
