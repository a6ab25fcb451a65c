#include "tools/sluicectl/verdict.h"

#include <gtest/gtest.h>

#include <functional>

namespace sluice::sluicectl {
namespace {

constexpr int64_t kNow = 1'700'000'000'000;
constexpr int64_t kDay = 24 * 3600;
using Status = v1::NodeStatus;

v1::NodeStatus* AddNode(v1::FleetStatus* status, const std::string& id,
                        Status::State state = Status::SYNCED) {
  v1::NodeStatus* node = status->add_nodes();
  node->set_node_id(id);
  node->set_state(state);
  node->mutable_version()->set_revision(state == Status::SYNCED ? 7 : 6);
  node->set_last_seen_unix_ms(kNow - 90'000);
  return node;
}

void AddEndpoint(v1::NodeStatus* node, const std::string& address, bool healthy) {
  v1::EndpointHealth* endpoint = node->mutable_report()->add_endpoints();
  endpoint->set_cluster("users");
  endpoint->set_address(address);
  endpoint->set_healthy(healthy);
  endpoint->set_reason(healthy ? "200" : "connect: refused");
}

void AddCertificate(v1::NodeStatus* node, const std::string& name, int64_t seconds_left) {
  v1::CertificateStatus* certificate = node->mutable_report()->add_certificates();
  certificate->set_name(name);
  certificate->set_not_after_unix(kNow / 1000 + seconds_left);
}

v1::FleetStatus Healthy() {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  AddNode(&status, "edge-1");
  AddEndpoint(AddNode(&status, "edge-2"), "10.0.0.1:80", true);
  return status;
}

struct Case {
  std::string name;
  std::function<void(v1::FleetStatus*)> spoil;
  std::string line;
  bool urgent = true;
};

class VerdictTest : public ::testing::TestWithParam<Case> {};

TEST_P(VerdictTest, SaysWhatIsWrongAndWhatToDo) {
  v1::FleetStatus status = Healthy();
  GetParam().spoil(&status);
  const std::vector<Finding> findings = JudgeFleet(status, kNow);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(VerdictLine(status, findings), GetParam().line);
  EXPECT_EQ(findings.front().urgent, GetParam().urgent);
  EXPECT_EQ(VerdictStyle(findings), GetParam().urgent ? Style::kRed : Style::kYellow);
}

INSTANTIATE_TEST_SUITE_P(
    All, VerdictTest,
    ::testing::Values(
        Case{"Rejected",
             [](v1::FleetStatus* status) {
               AddNode(status, "edge-3", Status::REJECTED)->set_reason("address in use");
             },
             "node edge-3 refused version 7: address in use; next: sluicectl describe node edge-3"},
        Case{"ManyRejected",
             [](v1::FleetStatus* status) {
               for (int i = 3; i < 8; ++i) {
                 AddNode(status, "edge-" + std::to_string(i), Status::REJECTED);
               }
             },
             "5 nodes (edge-3, edge-4, edge-5, ...) refused version 7; next: sluicectl describe "
             "node edge-3"},
        Case{"Unreachable",
             [](v1::FleetStatus* status) {
               AddNode(status, "edge-3", Status::UNREACHABLE)->set_reason("its stream has ended");
             },
             "node edge-3 cannot be reached: its stream has ended, last seen 1m30s ago; next: look "
             "at the log of sluice-proxy there, or give it up: sluicectl node remove edge-3"},
        Case{"Source",
             [](v1::FleetStatus* status) {
               status->mutable_source()->set_path("/etc/sluice my.yaml");
               status->mutable_source()->add_problems()->set_severity(v1::Problem::WARNING);
               v1::Problem* problem = status->mutable_source()->add_problems();
               problem->set_message("unknown key 'x'");
               problem->set_line(3);
               status->mutable_source()->add_problems();
             },
             "/etc/sluice my.yaml is not what runs: unknown key 'x'; 1 error more; next: sluicectl "
             "validate -f '/etc/sluice my.yaml'"},
        Case{"SourceRefused",
             [](v1::FleetStatus* status) {
               status->mutable_source()->set_path("/etc/sluice.yaml");
               status->mutable_source()->add_problems()->set_message(
                   "2 of 3 routes would go; if that is meant, apply with --allow-shrink");
             },
             "/etc/sluice.yaml is not what runs: 2 of 3 routes would go; if that is meant, apply "
             "with --allow-shrink; next: do as it says; sluicectl status has all of it"},
        Case{"Lagging", [](v1::FleetStatus* status) { AddNode(status, "edge-3", Status::LAGGING); },
             "node edge-3 is behind version 7; next: sluicectl describe node edge-3"},
        Case{"Errors",
             [](v1::FleetStatus* status) {
               status->mutable_nodes(0)->set_requests_per_second(100);
               status->mutable_nodes(0)->set_error_ratio(0.06);
               status->mutable_nodes(1)->set_requests_per_second(100);
               status->mutable_nodes(1)->set_error_ratio(0.3);
             },
             "node edge-2 answers 30.0% of its requests with 5xx; next: sluicectl describe node "
             "edge-2"},
        Case{"ErrorsOfFewRequests",
             [](v1::FleetStatus* status) {
               status->mutable_nodes(0)->set_requests_per_second(3);
               status->mutable_nodes(0)->set_error_ratio(1);
               auto* figures = status->mutable_nodes(0)->mutable_current_version_traffic();
               figures->set_requests(20);
               figures->set_error_ratio(0.5);
             },
             "node edge-1 answers 50.0% of its requests with 5xx; next: sluicectl describe node "
             "edge-1"},
        Case{"SomeEndpoints",
             [](v1::FleetStatus* status) {
               AddEndpoint(status->mutable_nodes(0), "10.0.0.1:80", false);
               AddEndpoint(status->mutable_nodes(0), "10.0.0.2:80", true);
             },
             "1 of 2 endpoints of upstream users is unhealthy on some nodes (edge-1: connect: "
             "refused); next: sluicectl describe upstream users",
             false},
        Case{"AllEndpoints",
             [](v1::FleetStatus* status) {
               status->mutable_nodes(1)->mutable_report()->clear_endpoints();
               AddEndpoint(status->mutable_nodes(0), "10.0.0.1:80", false);
             },
             "1 of 1 endpoint of upstream users is unhealthy (edge-1: connect: refused); next: "
             "sluicectl describe upstream users"},
        Case{"Updating",
             [](v1::FleetStatus* status) { AddNode(status, "edge-3", Status::UPDATING); },
             "node edge-3 not yet on version 7 but on 6; next: sluicectl status --watch", false},
        Case{"Draining",
             [](v1::FleetStatus* status) { AddNode(status, "edge-3", Status::DRAINING); },
             "node edge-3 takes no new connections: asked to drain; next: sluicectl node undrain "
             "edge-3",
             false},
        Case{"Cordoned",
             [](v1::FleetStatus* status) { AddNode(status, "edge-3", Status::CORDONED); },
             "node edge-3 keeps what it has now: cordoned; next: sluicectl node uncordon edge-3",
             false},
        Case{"Relabelled",
             [](v1::FleetStatus* status) {
               AddNode(status, "edge-3", Status::UPDATING)->mutable_version()->set_revision(7);
             },
             "node edge-3 not yet with all that its labels place on it of version 7; next: "
             "sluicectl "
             "status --watch",
             false},
        Case{"ExpiresInAMonth",
             [](v1::FleetStatus* status) {
               AddCertificate(status->mutable_nodes(0), "a.pem", 29 * kDay);
             },
             "certificate a.pem expires in 29d0h; next: renew it and apply again; sluicectl get "
             "certificates",
             false},
        Case{"ExpiresInAWeek",
             [](v1::FleetStatus* status) {
               AddCertificate(status->mutable_nodes(0), "b.pem", 20 * kDay);
               AddCertificate(status->mutable_nodes(0), "a.pem", 6 * kDay);
               AddCertificate(status->mutable_nodes(1), "a.pem", 6 * kDay);
             },
             "certificate a.pem expires in 6d0h; 1 more expire soon; next: renew it and apply "
             "again; sluicectl get certificates"},
        Case{"ExpiresInADay",
             [](v1::FleetStatus* status) {
               AddCertificate(status->mutable_nodes(0), "a.pem", kDay - 1);
             },
             "certificate a.pem expires within a day, in 23h59m; next: renew it and apply again; "
             "sluicectl get certificates"},
        Case{
            "Expired",
            [](v1::FleetStatus* status) { AddCertificate(status->mutable_nodes(0), "a.pem", -60); },
            "certificate a.pem expired 1m0s ago; next: renew it and apply again; sluicectl get "
            "certificates"},
        Case{"NoNodes", [](v1::FleetStatus* status) { status->clear_nodes(); },
             "no proxy has connected yet; next: sluicectl token create, then on its machine: "
             "sluice-proxy --node-id NAME --controller HOST:PORT --join-token-file FILE (no token "
             "with --insecure)"},
        Case{"NoVersion", [](v1::FleetStatus* status) { status->clear_version(); },
             "no version has been released yet; next: sluicectl apply -f FILE"}),
    [](const auto& tested) { return tested.param.name; });

// Version 8 after version 7: edge-1 has it, the second wave is edge-2's.
v1::Rollout* AddRollout(v1::FleetStatus* status, v1::Rollout::State state,
                        const std::string& reason = "") {
  v1::Rollout* rollout = status->mutable_rollout();
  rollout->mutable_version()->set_revision(8);
  rollout->set_state(state);
  rollout->set_reason(reason);
  for (const char* id : {"edge-1", "edge-2"}) rollout->add_waves()->add_node_ids(id);
  return rollout;
}

INSTANTIATE_TEST_SUITE_P(
    Rollout, VerdictTest,
    ::testing::Values(
        Case{"OnItsWay", [](v1::FleetStatus* status) { AddRollout(status, v1::Rollout::BAKING); },
             "version 8 is on its way: baking, wave 1 of 2; next: sluicectl rollout status "
             "--watch; back: sluicectl rollout abort",
             false},
        Case{"Awaiting",
             [](v1::FleetStatus* status) {
               AddRollout(status, v1::Rollout::AWAITING, "`sluicectl rollout promote` releases it");
             },
             "version 8 is on its way: awaiting promotion, wave 1 of 2; next: sluicectl rollout "
             "promote; "
             "back: sluicectl rollout abort",
             false},
        Case{"PausedByAnOperator",
             [](v1::FleetStatus* status) {
               AddRollout(status, v1::Rollout::PAUSED, "by bob: lunch");
             },
             "version 8 stands: paused, wave 1 of 2: by bob: lunch; next: sluicectl rollout "
             "status, then rollout resume, promote or abort",
             false},
        Case{"PausedByAGate",
             [](v1::FleetStatus* status) {
               v1::Rollout* rollout = AddRollout(status, v1::Rollout::PAUSED, "5xx 30.0 %");
               rollout->mutable_strategy()->set_pause_on_failure(true);
               rollout->mutable_waves(0)->add_findings()->set_gate("errors");
             },
             "version 8 stands: paused, wave 1 of 2: 5xx 30.0 %; next: sluicectl rollout status, "
             "then rollout resume, promote or abort"},
        Case{"PausedForWantOfTraffic",
             [](v1::FleetStatus* status) {
               v1::Rollout* rollout = AddRollout(status, v1::Rollout::PAUSED, "too little traffic");
               rollout->mutable_strategy()->set_pause_on_failure(true);
               rollout->mutable_waves(0)->add_findings()->set_gate("requests");
             },
             "version 8 stands: paused, wave 1 of 2: too little traffic; next: sluicectl rollout "
             "status, then rollout resume, promote or abort",
             false},
        Case{"TakenBack",
             [](v1::FleetStatus* status) {
               AddRollout(status, v1::Rollout::FAILED, "wave 1 of 2: node edge-1: 5xx 15.0 %");
               v1::SourceStatus* source = status->mutable_source();  // As the controller tells it.
               source->set_path("/etc/sluice.yaml");
               source->add_problems()->set_message("version 8 was taken back: wave 1 of 2: ...");
             },
             "version 8 was taken back: wave 1 of 2: node edge-1: 5xx 15.0 %; next: mend the cause "
             "and apply again, or sluicectl rollout retry",
             false}),
    [](const auto& tested) { return tested.param.name; });

TEST(VerdictLineTest, ANodeOfAWaveIsToHaveTheCandidate) {
  for (const auto& [id, target] :
       {std::pair("edge-1", "version 8"), std::pair("edge-2", "version 7")}) {
    v1::FleetStatus status = Healthy();
    AddRollout(&status, v1::Rollout::PAUSED);
    status.mutable_nodes(id == std::string("edge-1") ? 0 : 1)->set_state(Status::REJECTED);
    EXPECT_EQ(JudgeFleet(status, kNow).front().what,
              std::string("node ") + id + " refused " + target);
  }
}

TEST(VerdictLineTest, AnotherProblemOfTheFileIsToldBesideTheRollout) {
  v1::FleetStatus status = Healthy();
  AddRollout(&status, v1::Rollout::FAILED);
  status.mutable_source()->set_path("/etc/sluice.yaml");
  status.mutable_source()->add_problems()->set_message("unknown key 'x'");
  EXPECT_EQ(JudgeFleet(status, kNow).size(), 2u);
}

TEST(VerdictLineTest, WhatHasCompletedIsNoFinding) {
  v1::FleetStatus status = Healthy();
  AddRollout(&status, v1::Rollout::COMPLETED);
  EXPECT_TRUE(JudgeFleet(status, kNow).empty());
}

TEST(VerdictLineTest, AFewRequestsThatFailProveNothing) {
  v1::FleetStatus status = Healthy();
  v1::NodeStatus* node = status.mutable_nodes(0);
  node->set_requests_per_second(1.5);  // Three in two seconds, one of which failed.
  node->set_error_ratio(1.0 / 3);
  EXPECT_TRUE(JudgeFleet(status, kNow).empty());
  node->mutable_current_version_traffic()->set_requests(1000);
  node->mutable_current_version_traffic()->set_error_ratio(0.01);
  EXPECT_TRUE(JudgeFleet(status, kNow).empty());
  node->mutable_current_version_traffic()->set_requests(19);
  node->mutable_current_version_traffic()->set_error_ratio(0.3);
  EXPECT_TRUE(JudgeFleet(status, kNow).empty());
}

TEST(VerdictLineTest, AllIsWell) {
  v1::FleetStatus status = Healthy();
  AddCertificate(status.mutable_nodes(0), "a.pem", 31 * kDay);
  status.mutable_nodes(0)->set_error_ratio(1);  // Of next to nothing.
  status.mutable_nodes(0)->set_requests_per_second(0.5);
  status.mutable_source()->set_path("/etc/sluice.yaml");
  status.mutable_source()->set_ok(true);
  const auto findings = JudgeFleet(status, kNow);
  EXPECT_EQ(VerdictLine(status, findings), "all is well: 2 nodes serve version 7");
  EXPECT_EQ(VerdictStyle(findings), Style::kGreen);
}

TEST(VerdictLineTest, WhatHurtsTrafficComesFirst) {
  v1::FleetStatus status = Healthy();
  AddNode(&status, "edge-3", Status::DRAINING);
  AddNode(&status, "edge-4", Status::UPDATING);
  AddNode(&status, "edge-5", Status::LAGGING);
  const auto findings = JudgeFleet(status, kNow);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_NE(findings[0].what.find("edge-5 is behind"), std::string::npos) << findings[0].what;
}

TEST(VerdictLineTest, WhatAnUnreachableNodeSaidOfEndpointsAndCertificatesIsOld) {
  v1::FleetStatus status = Healthy();
  AddEndpoint(AddNode(&status, "edge-3", Status::UNREACHABLE), "10.0.0.9:80", false);
  AddCertificate(status.mutable_nodes(2), "old.pem", -60);
  EXPECT_EQ(JudgeFleet(status, kNow).size(), 1u);
}

// Both would be urgent on a node with the current version.
void Trouble(v1::NodeStatus* node) {
  AddEndpoint(node, "10.0.0.9:80", false);
  node->mutable_report()->mutable_endpoints()->rbegin()->set_cluster("gone");
  AddCertificate(node, "renewed.pem", -60);
}

TEST(VerdictLineTest, WhatAnotherVersionHasIsToldOfTheNode) {
  for (const auto& [state, urgent] :
       {std::pair(Status::CORDONED, false), std::pair(Status::UPDATING, false),
        std::pair(Status::REJECTED, true), std::pair(Status::LAGGING, true)}) {
    v1::FleetStatus status = Healthy();
    Trouble(AddNode(&status, "edge-3", state));
    const std::vector<Finding> findings = JudgeFleet(status, kNow);
    ASSERT_EQ(findings.size(), 3u) << "of the state, the endpoints, the certificates";
    const auto of = [&](const std::string& word) {
      return *std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) {
        return finding.what.find(word) != std::string::npos;
      });
    };
    EXPECT_EQ(of("upstream").what,
              "node edge-3 with version 6: 1 of 1 endpoint of upstream gone is unhealthy (edge-3: "
              "connect: refused)");
    EXPECT_EQ(of("certificate").what,
              "node edge-3 with version 6: certificate renewed.pem expired 1m0s ago");
    for (const char* word : {"upstream", "certificate"}) {
      EXPECT_EQ(of(word).urgent, urgent);
      EXPECT_EQ(of(word).next, "sluicectl describe node edge-3");
    }
  }
}

TEST(VerdictLineTest, WhatManyOtherVersionsHaveIsOneFindingOfTheWorst) {
  v1::FleetStatus status = Healthy();
  AddCertificate(AddNode(&status, "edge-3", Status::CORDONED), "a.pem", kDay);
  AddCertificate(AddNode(&status, "edge-4", Status::LAGGING), "b.pem", kDay);
  const std::vector<Finding> findings = JudgeFleet(status, kNow);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[1].what,
            "2 nodes (edge-4, edge-3) with other versions: certificate b.pem expires in 1d0h");
  EXPECT_TRUE(findings[1].urgent);
}

TEST(ShellWordTest, NamesOfStrangersAreOneWord) {
  EXPECT_EQ(ShellWord("edge-1.eu"), "edge-1.eu");
  EXPECT_EQ(ShellWord("a;reboot"), "'a;reboot'");
  EXPECT_EQ(ShellWord("it's"), R"('it'\''s')");
  EXPECT_EQ(ShellWord("$(x)"), "'$(x)'");
  EXPECT_EQ(ShellWord(""), "''");
}

}  // namespace
}  // namespace sluice::sluicectl
