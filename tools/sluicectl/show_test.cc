#include "tools/sluicectl/show.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "tools/sluicectl/testing.h"

namespace sluice::sluicectl {
namespace {

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void AddNode(v1::FleetStatus* status, const std::string& id, v1::NodeStatus::State state,
             bool healthy) {
  v1::NodeStatus* node = status->add_nodes();
  node->set_node_id(id);
  node->set_state(state);
  node->mutable_version()->set_revision(state == v1::NodeStatus::UPDATING ? 6 : 7);
  node->set_since_unix_ms(kTestNowMs - 192'000);
  node->set_requests_per_second(12.34);
  node->set_p99_ms(4.2);
  node->set_peer_address("127.0.0.1:5000");
  (*node->mutable_hello()->mutable_labels())["zone"] = "a";
  v1::Report* report = node->mutable_report();
  report->set_downstream_connections(64);
  report->set_uptime_seconds(3700);
  v1::EndpointHealth* endpoint = report->add_endpoints();
  endpoint->set_cluster("users");
  endpoint->set_address("10.0.0.1:80");
  endpoint->set_healthy(healthy);
  endpoint->set_reason(healthy ? "200" : "connect: Connection refused");
}

v1::FleetStatus Fleet() {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  status.mutable_version()->set_root("\x3f\xa2\xc1\xb0\x9d\x11\x22");
  status.set_author("ann@desk");
  status.set_message("more users");
  status.set_released_unix_ms(kTestNowMs - 60'000);
  status.set_controller_version("0.1.0");
  AddNode(&status, "edge-1", v1::NodeStatus::SYNCED, true);
  AddNode(&status, "edge-2", v1::NodeStatus::UPDATING, false);
  AddNode(&status, "edge-3", v1::NodeStatus::UNREACHABLE, false);
  return status;
}

void AddResource(v1::GetConfigResponse* response, v1::ResourceKind kind,
                 const google::protobuf::Message& body) {
  v1::Resource* resource = response->add_resources();
  resource->set_kind(kind);
  resource->set_body(body.SerializeAsString());
}

v1::GetConfigResponse Config() {
  v1::GetConfigResponse response;
  response.mutable_info()->mutable_version()->set_revision(7);
  v1::Listener listener;
  listener.set_name("api");
  listener.set_address("0.0.0.0:8000");
  listener.mutable_tls()->add_certificates("cert.pem");
  AddResource(&response, v1::RESOURCE_KIND_LISTENER, listener);
  v1::RouteTable table;
  table.set_service("api");
  v1::Route* route = table.add_routes();
  route->set_name("users");
  route->set_path_prefix("/users");
  for (const auto& [cluster, weight] : {std::pair("users", 90), std::pair("canary", 10)}) {
    v1::WeightedCluster* share = route->mutable_forward()->add_clusters();
    share->set_cluster(cluster);
    share->set_weight(weight);
  }
  AddResource(&response, v1::RESOURCE_KIND_ROUTE_TABLE, table);
  v1::Cluster cluster;
  cluster.set_name("users");
  cluster.add_endpoints()->set_address("10.0.0.1:80");
  cluster.mutable_endpoints(0)->set_weight(1);
  cluster.mutable_tls()->set_client_certificate("cert.pem");
  AddResource(&response, v1::RESOURCE_KIND_CLUSTER, cluster);
  v1::CertificateInfo* certificate = response.add_certificates();
  certificate->set_name("cert.pem");
  certificate->add_dns_names("a.example");
  certificate->set_issuer("CN=ca.test");
  certificate->set_key_type("EC P-256");
  certificate->set_not_after_unix(kTestNowMs / 1000 + 86400);
  return response;
}

struct Fixture {
  Fixture() {
    controller.get_status = [](const v1::GetStatusRequest&, v1::FleetStatus* response) {
      *response = Fleet();
      return grpc::Status::OK;
    };
    controller.get_config = [this](const v1::GetConfigRequest& request,
                                   v1::GetConfigResponse* response) {
      ++configs_fetched;
      revision_asked = request.revision();
      *response = Config();
      return grpc::Status::OK;
    };
  }
  mutable std::atomic<int> configs_fetched = 0;  // Written by the server.
  mutable std::atomic<uint64_t> revision_asked = 0;
  FakeController controller;
};

TEST(GetTest, NodesAreATable) {
  const RunResult result = Fixture().controller.Run({"get", "nodes"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(result.out,
            "NAME     STATE         VERSION   AGE     CONNS   REQ/S   5XX   P99     UPTIME\n"
            "edge-1   synced        7         3m12s   64      12.3    0%    4.2ms   1h1m\n"
            "edge-2   updating      6         3m12s   64      12.3    0%    4.2ms   1h1m\n"
            "edge-3   unreachable   7         3m12s   64      12.3    0%    4.2ms   1h1m\n");
}

TEST(GetTest, WideAddsLabelsAddressAndUnhealthyEndpoints) {
  const RunResult result = Fixture().controller.Run({"get", "nodes", "-o", "wide"});
  EXPECT_TRUE(Has(result.out, "LABELS")) << result.out;
  EXPECT_TRUE(Has(result.out, "zone=a")) << result.out;
  EXPECT_TRUE(Has(result.out, "127.0.0.1:5000")) << result.out;
  EXPECT_TRUE(Has(result.out, "1/1")) << result.out;
}

TEST(GetTest, ColoursOnlyOnATerminal) {
  const Fixture fixture;
  EXPECT_FALSE(Has(fixture.controller.Run({"get", "nodes"}).out, "\x1b"));
  EXPECT_TRUE(Has(fixture.controller.Run({"get", "nodes"}, {.terminal = true}).out, "\x1b[32m"));
  EXPECT_FALSE(
      Has(fixture.controller.Run({"get", "nodes", "--no-color"}, {.terminal = true}).out, "\x1b"));
}

TEST(GetTest, ServicesRoutesAndCertificatesComeFromTheConfiguration) {
  const Fixture fixture;
  EXPECT_EQ(fixture.controller.Run({"get", "services"}).out,
            "NAME   ADDRESS        PROTOCOL   TLS   ROUTES\n"
            "api    0.0.0.0:8000   http       no    1\n");
  EXPECT_EQ(fixture.controller.Run({"get", "routes"}).out,
            "SERVICE   #   NAME    HOST   PATH     ACTION\n"
            "api       1   users   *      /users   forward users (90.0%), canary (10.0%)\n");
  EXPECT_EQ(fixture.controller.Run({"get", "certificates"}).out,
            "NAME       DNS-NAMES   ISSUER       EXPIRES   USED-BY\n"
            "cert.pem   a.example   CN=ca.test   in 1d0h   service api, upstream users\n");
  const auto json = nlohmann::json::parse(
      fixture.controller.Run({"get", "certificates", "-o", "json"}).out, nullptr, false);
  ASSERT_TRUE(json.is_array());
  EXPECT_EQ(json[0]["used_by"][0], "service api");
  EXPECT_EQ(json[0]["issuer"], "CN=ca.test");
}

TEST(GetTest, UpstreamsCountHealthOverReachableNodes) {
  const Fixture fixture;
  const RunResult table = fixture.controller.Run({"get", "upstreams"});
  EXPECT_TRUE(Has(table.out, "1 of 2 nodes")) << table.out;
  const RunResult wide = fixture.controller.Run({"get", "upstreams", "-o", "wide"});
  EXPECT_TRUE(Has(wide.out, "edge-2: connect: Connection refused")) << wide.out;
  const auto json = nlohmann::json::parse(
      fixture.controller.Run({"get", "upstreams", "-o", "json"}).out, nullptr, false);
  ASSERT_TRUE(json.is_array());
  EXPECT_EQ(json[0]["health"][0]["healthy_nodes"], 1);
  EXPECT_EQ(json[0]["health"][0]["nodes"], 2);
}

TEST(GetTest, RevisionIsAskedForAndDoesNotGoWithNodes) {
  const Fixture fixture;
  EXPECT_EQ(fixture.controller.Run({"get", "routes", "--revision", "5"}).code, ExitCode::kDone);
  EXPECT_EQ(fixture.revision_asked, 5u);
  EXPECT_EQ(fixture.controller.Run({"get", "nodes", "--revision", "5"}).code, ExitCode::kUsage);
}

TEST(GetTest, DamagedResourceIsAnError) {
  Fixture fixture;
  fixture.controller.get_config = [](const v1::GetConfigRequest&, v1::GetConfigResponse* response) {
    v1::Resource* resource = response->add_resources();
    resource->set_kind(v1::RESOURCE_KIND_CLUSTER);
    resource->set_name("users");
    resource->set_body("\xff\xff\xff");
    return grpc::Status::OK;
  };
  const RunResult result = fixture.controller.Run({"get", "upstreams"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(result.error, "damaged RESOURCE_KIND_CLUSTER 'users'")) << result.error;
}

TEST(GetTest, VersionsAndHistoryAreTheSame) {
  std::atomic<uint32_t> limit = 0;
  FakeController controller;
  controller.list_versions = [&limit](const v1::ListVersionsRequest& request,
                                      v1::ListVersionsResponse* response) {
    limit = request.limit();
    v1::VersionInfo* info = response->add_versions();
    info->mutable_version()->set_revision(7);
    info->set_state("current");
    info->set_created_unix_ms(kTestNowMs - 5000);
    info->set_author("ann");
    info->set_source("api");
    info->set_message("hi\x1b[31m");
    return grpc::Status::OK;
  };
  const std::string table =
      "VERSION   STATE     AGE   SOURCE   AUTHOR   CHANGES   MESSAGE\n"
      "7         current   5s    api      ann      0         hi\\x1b[31m\n";
  EXPECT_EQ(controller.Run({"get", "versions"}).out, table);
  EXPECT_EQ(controller.Run({"history", "--limit", "3"}).out, table);
  EXPECT_EQ(limit, 3u);
}

TEST(StatusTest, SummarisesThenListsNodes) {
  const RunResult result = Fixture().controller.Run({"status"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_TRUE(Has(result.out,
                  "Version:    7 (root 3fa2c1b09d11…), released 1m0s ago by ann@desk\n"
                  "Message:    more users\n"
                  "Nodes:      3 (1 synced, 1 updating, 1 unreachable)\n"))
      << result.out;
  EXPECT_TRUE(Has(result.out, "\n\nNAME     STATE")) << result.out;
}

TEST(StatusTest, BeginsWithTheVerdictAndWhatElseIsWrong) {
  const std::string expected =
      "Fleet:      node edge-3 cannot be reached; next: look at the log of sluice-proxy there, or "
      "give it up: sluicectl node remove edge-3\n"
      "            node edge-2 with version 6: 1 of 1 endpoint of upstream users is unhealthy "
      "(edge-2: connect: Connection refused); next: sluicectl describe node edge-2\n"
      "            node edge-2 not yet on version 7 but on 6; next: sluicectl status --watch\n"
      "Version:    7";
  EXPECT_EQ(Fixture().controller.Run({"status"}).out.substr(0, expected.size()), expected);
}

TEST(StatusTest, TellsProgramsTheFindings) {
  const auto json =
      nlohmann::json::parse(Fixture().controller.Run({"status", "-o", "json"}).out, nullptr, false);
  ASSERT_TRUE(json.contains("findings"));
  ASSERT_EQ(json["findings"].size(), 3u);
  EXPECT_EQ(json["findings"][0]["urgent"], true);
  EXPECT_EQ(json["findings"][0]["what"], "node edge-3 cannot be reached");
  EXPECT_EQ(json["findings"][1]["next"], "sluicectl describe node edge-2");
}

TEST(StatusTest, ShowsWhyTheWatchedFileIsNotWhatRuns) {
  FakeController controller;
  controller.get_status = [](const v1::GetStatusRequest&, v1::FleetStatus* response) {
    response->mutable_source()->set_path("/etc/sluice.yaml");
    v1::Problem* problem = response->mutable_source()->add_problems();
    problem->set_file("/etc/sluice.yaml");
    problem->set_line(3);
    problem->set_column(1);
    problem->set_message("unknown key");
    return grpc::Status::OK;
  };
  const RunResult result = controller.Run({"status"});
  EXPECT_TRUE(Has(result.out, "/etc/sluice.yaml, NOT what runs")) << result.out;
  EXPECT_TRUE(Has(result.out, "/etc/sluice.yaml:3:1: error: unknown key")) << result.out;
}

// A status stream of these revisions that then ends.
void ScriptWatch(FakeController* controller, std::vector<uint64_t> revisions) {
  controller->watch_status = [revisions](grpc::ServerContext*, const v1::GetStatusRequest&,
                                         grpc::ServerWriter<v1::FleetStatus>* writer) {
    for (const uint64_t revision : revisions) {
      v1::FleetStatus status = Fleet();
      status.mutable_version()->set_revision(revision);
      for (auto& node : *status.mutable_nodes()) node.mutable_version()->set_revision(revision);
      writer->Write(status);
    }
    return grpc::Status::OK;
  };
}

TEST(WatchTest, PrintsABlockForEachChangeWhenPiped) {
  Fixture fixture;
  ScriptWatch(&fixture.controller, {7, 7, 8});
  const RunResult result = fixture.controller.Run({"get", "nodes", "--watch"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  size_t blocks = 0;
  for (size_t at = 0; (at = result.out.find("NAME ", at)) != std::string::npos; ++at) ++blocks;
  EXPECT_EQ(blocks, 2u) << result.out;
  EXPECT_FALSE(Has(result.out, "\x1b"));
}

TEST(WatchTest, RedrawsInPlaceOnATerminal) {
  Fixture fixture;
  ScriptWatch(&fixture.controller, {7, 8});
  const RunResult result = fixture.controller.Run({"status", "-w"}, {.terminal = true});
  EXPECT_TRUE(Has(result.out, "A\r")) << "moves up";
  EXPECT_TRUE(Has(result.out, "\x1b[K")) << "clears lines";
}

TEST(WatchTest, BlockNeverOutgrowsTheTerminal) {
  Fixture fixture;
  ScriptWatch(&fixture.controller, {7});
  const RunResult result =
      fixture.controller.Run({"status", "-w", "--no-color"},
                             {.terminal = true, .in = "", .size = {.columns = 20, .rows = 6}});
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 5);
  EXPECT_TRUE(Has(result.out, "... and ")) << result.out;
}

TEST(WatchTest, JsonIsOneValueALine) {
  Fixture fixture;
  ScriptWatch(&fixture.controller, {7, 8});
  const RunResult result = fixture.controller.Run({"get", "nodes", "-w", "-o", "json"});
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2);
}

TEST(WatchTest, ConfigurationIsFetchedAgainOnlyForANewVersion) {
  Fixture fixture;
  ScriptWatch(&fixture.controller, {7, 7, 7, 8});
  EXPECT_EQ(fixture.controller.Run({"get", "services", "-w"}).code, ExitCode::kDone);
  EXPECT_EQ(fixture.configs_fetched, 2);
}

TEST(WatchTest, FailureOfTheStreamIsTold) {
  FakeController controller;
  const RunResult result = controller.Run({"status", "--watch"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(result.error, "does not know this request")) << result.error;
}

TEST(DescribeTest, SuggestsTheNameThatWasMeant) {
  const Fixture fixture;
  const RunResult result = fixture.controller.Run({"describe", "upstream", "usres"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(result.error, "there is no upstream 'usres'; did you mean 'users'?"))
      << result.error;
}

TEST(DescribeTest, KnowsEveryKind) {
  const Fixture fixture;
  for (const auto& [kind, name, expected] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"node", "edge-2", "connect: Connection refused"},
           {"version", "7", "routes of"},
           {"upstream", "users", "1 of 2 nodes"},
           {"service", "api", "forward users (90.0%)"},
           {"route", "users", "path_prefix: /users"},
           {"route", "api/users", "path_prefix: /users"}}) {
    const RunResult result = fixture.controller.Run({"describe", kind, name});
    EXPECT_EQ(result.code, ExitCode::kDone) << kind << result.error;
    EXPECT_TRUE(Has(result.out, expected)) << kind << result.out;
    const RunResult json = fixture.controller.Run({"describe", kind, name, "-o", "json"});
    EXPECT_TRUE(nlohmann::json::accept(json.out)) << kind << json.out;
  }
}

TEST(DescribeTest, TellsWhoDrainsBehindANode) {
  for (const auto& [processes, expected] :
       {std::pair(0u, "64\n"),
        std::pair(1u, "64, 5 of them with a process that a hot restart replaced and that drains"),
        std::pair(2u,
                  "64, 5 of them with 2 processes that a hot restart replaced and that drain ")}) {
    Fixture fixture;
    fixture.controller.get_status = [processes = processes](const v1::GetStatusRequest&,
                                                            v1::FleetStatus* response) {
      *response = Fleet();
      v1::Report& report = *response->mutable_nodes(0)->mutable_report();
      report.set_draining_processes(processes);
      report.set_draining_connections(processes == 0 ? 0 : 5);
      return grpc::Status::OK;
    };
    const RunResult result = fixture.controller.Run({"describe", "node", "edge-1"});
    EXPECT_TRUE(Has(result.out, expected)) << result.out;
  }
}

TEST(DescribeTest, NodeNamedLikeAVerbIsANode) {
  const RunResult result = Fixture().controller.Run({"describe", "node", "status"});
  EXPECT_EQ(result.code, ExitCode::kFailed);
  EXPECT_TRUE(Has(result.error, "there is no node 'status'")) << result.error;
}

TEST(ExplainTest, TellsWhyEachRouteLost) {
  FakeController controller;
  v1::ExplainRequest request;
  controller.explain = [&request](const v1::ExplainRequest& got, v1::ExplainResponse* response) {
    request = got;
    response->set_service("api");
    response->set_route("users");
    response->set_path_sent("/1");
    auto* lost = response->add_candidates();
    lost->set_route("admin");
    lost->set_reason("host is admin.example");
    auto* won = response->add_candidates();
    won->set_route("users");
    won->set_matched(true);
    auto* share = response->add_upstreams();
    share->set_upstream("users");
    share->set_share(1);
    auto* endpoint = share->add_endpoints();
    endpoint->set_address("10.0.0.1:80");
    endpoint->set_healthy(true);
    return grpc::Status::OK;
  };
  const RunResult result = controller.Run(
      {"explain", "-H", "Host: a", "-H", "X: b", "--service", "api", "GET", "http://a/users/1"});
  EXPECT_EQ(result.code, ExitCode::kDone) << result.error;
  EXPECT_EQ(request.method(), "GET");
  EXPECT_EQ(request.url(), "http://a/users/1");
  ASSERT_EQ(request.headers_size(), 2);
  EXPECT_EQ(request.headers(1), "X: b");
  EXPECT_EQ(result.out,
            "Service:   api\n"
            "Routes, in order:\n"
            "  lost  admin: host is admin.example\n"
            "  won   users\n"
            "Route:     users\n"
            "Path sent: /1\n"
            "Upstream:  users (100.0%)\n"
            "  10.0.0.1:80: healthy\n");
  EXPECT_EQ(controller.Run({"explain", "-H", "nocolon", "GET", "/"}).code, ExitCode::kUsage);
}

TEST(NodeTest, SendsTheActionAndPrintsTheAnswer) {
  FakeController controller;
  v1::NodeActionRequest request;
  controller.node_action = [&request](const v1::NodeActionRequest& got,
                                      v1::NodeActionResponse* response) {
    request = got;
    if (got.action() == v1::NodeActionRequest::DUMP) {
      response->set_json("{\"a\":\"\\u001b[2J\"}");
    } else {
      response->set_message("edge-1 is draining");
    }
    return grpc::Status::OK;
  };
  EXPECT_EQ(controller.Run({"node", "drain", "edge-1"}).out, "edge-1 is draining\n");
  EXPECT_EQ(request.action(), v1::NodeActionRequest::DRAIN);
  EXPECT_EQ(request.node_id(), "edge-1");
  EXPECT_EQ(controller.Run({"node", "log-level", "edge-1", "debug"}).code, ExitCode::kDone);
  EXPECT_EQ(request.argument(), "debug");
  EXPECT_EQ(controller.Run({"node", "log-level", "edge-1", "loud"}).code, ExitCode::kUsage);
  EXPECT_EQ(controller.Run({"node", "dump", "edge-1", "stats"}).out,
            "{\n  \"a\": \"\\u001b[2J\"\n}\n");
}

TEST(AuditTest, ListsWhoDidWhat) {
  FakeController controller;
  controller.list_audit = [](const v1::ListAuditRequest&, v1::ListAuditResponse* response) {
    v1::AuditEntry* entry = response->add_entries();
    entry->set_unix_ms(kTestNowMs);
    entry->set_author("ann");
    entry->set_action("apply");
    entry->set_detail("version 7");
    return grpc::Status::OK;
  };
  EXPECT_EQ(controller.Run({"audit"}).out,
            "TIME                      AUTHOR   ACTION   DETAIL\n"
            "2023-11-14 22:13:20 UTC   ann      apply    version 7\n");
}

TEST(SessionTest, SlowAnswerIsWaitedForInVain) {
  std::atomic<bool> stop = false;  // Which the controller, as it ends, still reads.
  FakeController controller;
  controller.get_status = [&stop](const v1::GetStatusRequest&, v1::FleetStatus*) {
    while (!stop) std::this_thread::yield();
    return grpc::Status::OK;
  };
  const RunResult result = controller.Run({"status", "--request-timeout", "300ms"});
  stop = true;
  EXPECT_EQ(result.code, ExitCode::kWaitedInVain) << result.error;
}

}  // namespace
}  // namespace sluice::sluicectl
