#include <gmock/gmock.h>

#include <thread>

#include "controlplane/apply/controller.h"
#include "controlplane/apply/testing_setup.h"

namespace sluice::apply {
namespace {

using testing::ControllerSetup;
using testing::DocumentOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TestNode;
using testing::Yaml;
using Progress = v1::ApplyProgress;

v1::PreflightReport Found(uint64_t requests, uint64_t changed) {
  v1::PreflightReport report;
  report.set_requests(requests);
  report.set_changed(changed);
  if (changed == 0) return report;
  v1::PreflightChange& change = *report.add_changes();
  change.set_service("web");
  change.set_route("r0");
  change.set_kind(v1::PreflightChange::UNMATCHED);
  change.set_requests(changed);
  return report;
}

ChangeRequest WithPreflight(uint32_t ms) {
  ChangeRequest request = ControllerSetup::FromApi();
  request.strategy.set_preflight_ms(ms);
  return request;
}

class PreflightTest : public ::testing::Test {
 protected:
  // A node that serves version 1 and finds this.
  std::unique_ptr<TestNode> Serve(const v1::PreflightReport& found) {
    TestNode::Options options;
    options.preflight = found;
    auto node = setup_.Connect(std::move(options));
    EXPECT_EQ(setup_.Apply("one").outcome(), Progress::DONE);
    return node;
  }
  Progress ApplyTwo(const ChangeRequest& request, const std::string& rollout = "") {
    return setup_.Apply(DocumentOf(Yaml("two") + rollout), request);
  }

  ControllerSetup setup_;
};

TEST_F(PreflightTest, IsReportedAndThenTheVersionGoesOut) {
  const auto node = Serve(Found(200, 8));
  const Progress last = ApplyTwo(WithPreflight(1));
  EXPECT_EQ(last.outcome(), Progress::DONE) << last.message();
  EXPECT_THAT(last.preflight().node_ids(), ElementsAre("n1"));
  EXPECT_EQ(last.preflight().figures().requests(), 200u);
  EXPECT_EQ(last.preflight().figures().changes(0).route(), "r0");
  EXPECT_EQ(node->version().revision(), 2u);
  EXPECT_THAT(setup_.store().ListAudit(1)->front().detail(),
              HasSubstr("; preflight: 8 of 200 requests would change"));
}

TEST_F(PreflightTest, TheGateRefusesBeforeAnythingChanges) {
  const auto node = Serve(Found(200, 8));
  ChangeRequest request = WithPreflight(1);
  request.strategy.set_max_changed_ppm(39'999);
  const Progress refused = ApplyTwo(request);
  EXPECT_EQ(refused.outcome(), Progress::REFUSED);
  EXPECT_EQ(refused.message(),
            "preflight: 8 of 200 live requests (4 %) would be treated otherwise, "
            "max_changed_ratio allows 0.039999");
  EXPECT_EQ(node->version().revision(), 1u);
  EXPECT_TRUE(node->WaitForA(v1::ControllerMessage::kDiscard));
  EXPECT_EQ(setup_.store().Get(2)->state, store::VersionState::kRefused);
  request.strategy.set_max_changed_ppm(40'000);
  EXPECT_EQ(ApplyTwo(request).outcome(), Progress::DONE);
}

TEST_F(PreflightTest, WithoutARequestTheGateCannotJudge) {
  const auto node = Serve(Found(0, 0));
  ChangeRequest request = WithPreflight(1);
  EXPECT_EQ(ApplyTwo(request).outcome(), Progress::DONE) << "nothing is demanded";
  request.strategy.set_max_changed_ppm(1'000'000);
  const Progress refused = setup_.Apply(DocumentOf(Yaml("three")), request);
  EXPECT_EQ(refused.outcome(), Progress::REFUSED);
  EXPECT_THAT(refused.message(), HasSubstr("no live request came"));
}

TEST_F(PreflightTest, NodesThatCannotAreNoReasonToPassTheGate) {
  const auto node = setup_.Connect({});  // Of an older build.
  setup_.Apply("one");
  ChangeRequest request = WithPreflight(1);
  request.strategy.set_max_changed_ppm(1'000'000);
  const Progress refused = ApplyTwo(request);
  EXPECT_EQ(refused.outcome(), Progress::REFUSED);
  EXPECT_THAT(refused.message(), HasSubstr("no node could take part"));
  EXPECT_EQ(ApplyTwo(WithPreflight(1)).outcome(), Progress::DONE) << "nothing is demanded";
}

TEST_F(PreflightTest, WhatIsPlacedOnNobodyThereNeedsNone) {
  const auto placed = [](const std::string& word) {
    return DocumentOf(Yaml("same") +
                      "  - name: edge\n    bind_address: '127.0.0.1:18081'\n"
                      "    placement: {tier: edge}\n    routes:\n"
                      "      - {name: r, path_prefix: /, respond: {status: 200, body: " +
                      word + "}}\n");
  };
  TestNode::Options options;
  options.preflight = Found(0, 0);
  const auto node = setup_.Connect(std::move(options));
  ASSERT_EQ(setup_.Apply(placed("one"), ControllerSetup::FromApi()).outcome(), Progress::DONE);
  ChangeRequest request = WithPreflight(3'600'000);
  request.strategy.set_max_changed_ppm(0);
  const Progress last = setup_.Apply(placed("two"), request);
  EXPECT_EQ(last.outcome(), Progress::DONE) << last.message();
  EXPECT_EQ(node->Count(v1::ControllerMessage::kPreflight), 0);
  EXPECT_EQ(node->version().revision(), 2u);
}

TEST_F(PreflightTest, ADryRunChangesNothing) {
  const auto node = Serve(Found(10, 1));
  ChangeRequest request = WithPreflight(1);
  request.dry_run = v1::ApplyRequest::NODES;
  const Progress last = ApplyTwo(request);
  EXPECT_EQ(last.outcome(), Progress::DRY_RUN_OK) << last.message();
  EXPECT_EQ(last.preflight().figures().changed(), 1u);
  EXPECT_TRUE(node->WaitForA(v1::ControllerMessage::kDiscard));
  EXPECT_EQ(*setup_.store().CountVersions(), 1);
  EXPECT_EQ(node->version().revision(), 1u);
}

TEST_F(PreflightTest, TheFirstVersionHasNone) {
  TestNode::Options options;
  options.preflight = Found(1, 1);
  const auto node = setup_.Connect(std::move(options));
  EXPECT_EQ(setup_.Apply(DocumentOf(Yaml("one")), WithPreflight(3'600'000)).outcome(),
            Progress::DONE);
  EXPECT_EQ(node->Count(v1::ControllerMessage::kPreflight), 0);
}

TEST_F(PreflightTest, TheDocumentMayAskForOneAndAllAtOnceLeavesItOut) {
  const auto node = Serve(Found(100, 50));
  const std::string rollout =
      "rollout: {waves: ['1'], preflight: 1ms, gates: {max_changed_ratio: 0.1}}\n";
  const Progress refused = ApplyTwo(ControllerSetup::FromApi(), rollout);
  EXPECT_EQ(refused.outcome(), Progress::REFUSED);
  EXPECT_THAT(refused.message(), HasSubstr("max_changed_ratio allows 0.1"));
  ChangeRequest request = ControllerSetup::FromApi();
  request.strategy.set_kind(v1::StrategyChoice::ALL_AT_ONCE);
  EXPECT_EQ(ApplyTwo(request, rollout).outcome(), Progress::DONE);
  EXPECT_EQ(node->Count(v1::ControllerMessage::kPreflight), 1);
}

TEST_F(PreflightTest, WhatIsAskedForMustMakeSense) {
  const auto node = Serve(Found(0, 0));
  EXPECT_THAT(ApplyTwo(WithPreflight(3'600'001)).message(), HasSubstr("an hour at most"));
  ChangeRequest request = ControllerSetup::FromApi();
  request.strategy.set_preflight_nodes("1");
  EXPECT_THAT(ApplyTwo(request).message(), HasSubstr("add --preflight 30s"));
  request.strategy.set_preflight_ms(1);
  request.strategy.set_preflight_nodes("some");
  EXPECT_THAT(ApplyTwo(request).message(), HasSubstr("'some' is no wave"));
  EXPECT_EQ(node->version().revision(), 1u);
}

// Applies version 2 with a preflight of an hour on a thread of its own.
class LongPreflightTest : public PreflightTest {
 protected:
  void Begin() {
    node_ = Serve(Found(10, 0));
    thread_ = std::thread([this] { ended_ = ApplyTwo(WithPreflight(3'600'000)); });
    ASSERT_TRUE(node_->WaitForA(v1::ControllerMessage::kPreflight));
  }
  Progress End() {
    thread_.join();
    return ended_;
  }

  std::unique_ptr<TestNode> node_;
  std::thread thread_;
  Progress ended_;
};

TEST_F(LongPreflightTest, ANewerChangeEndsIt) {
  Begin();
  EXPECT_EQ(setup_.Apply("three").outcome(), Progress::DONE);
  const Progress ended = End();
  EXPECT_EQ(ended.outcome(), Progress::REFUSED);
  EXPECT_THAT(ended.message(), HasSubstr("ended by a newer change"));
  EXPECT_EQ(setup_.controller().Status("").version().revision(), 3u);
}

TEST_F(LongPreflightTest, AnOperatorEndsIt) {
  Begin();
  v1::RolloutActionRequest abort;
  abort.set_action(v1::RolloutActionRequest::ABORT);
  abort.set_author("bob");
  const auto rollout =
      setup_.controller().ActOnRollout(abort, {.author = "bob", .role = "", .peer = "here"});
  ASSERT_TRUE(rollout.ok()) << rollout.status();
  EXPECT_EQ(rollout->state(), v1::Rollout::ABORTED);
  const Progress ended = End();
  EXPECT_EQ(ended.outcome(), Progress::REFUSED);
  EXPECT_THAT(ended.message(), HasSubstr("ended by bob"));
  EXPECT_EQ(node_->version().revision(), 1u);
}

TEST_F(LongPreflightTest, TheControllersEndEndsIt) {
  Begin();
  setup_.hub().Shutdown(1000);
  EXPECT_EQ(End().outcome(), Progress::REFUSED);
}

}  // namespace
}  // namespace sluice::apply
