#include "controlplane/apply/controller.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "controlplane/apply/testing_setup.h"

namespace sluice::apply {
namespace {

using testing::ControllerSetup;
using testing::DocumentOf;
using ::testing::HasSubstr;
using testing::TestNode;
using testing::Yaml;
using Progress = v1::ApplyProgress;

TEST(ControllerTest, AVersionIsStoredReleasedAndEffective) {
  ControllerSetup setup;
  const auto node = setup.Connect({});
  std::vector<Progress> steps;
  const Progress last = setup.Apply(DocumentOf(Yaml("one")), ControllerSetup::FromApi(), &steps);
  ASSERT_EQ(last.outcome(), Progress::DONE) << last.message();
  EXPECT_EQ(last.message(), "version 1 is effective on 1 of 1 nodes");
  EXPECT_EQ(last.version().revision(), 1u);
  EXPECT_EQ(last.nodes(0).stage(), v1::NodeProgress::EFFECTIVE);
  EXPECT_GT(last.changes_size(), 0);
  EXPECT_EQ(node->version().SerializeAsString(), last.version().SerializeAsString());
  const auto stored = setup.store().Current();
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->author, "ann");
  EXPECT_EQ(stored->message, "a message");
  EXPECT_EQ(stored->source, "api");
  const auto audit = setup.store().ListAudit(10);
  ASSERT_EQ(audit->size(), 1u);
  EXPECT_EQ(audit->front().action(), "apply");
  EXPECT_EQ(audit->front().peer(), "here");
  EXPECT_THAT(audit->front().detail(), HasSubstr("DONE: version 1"));
}

TEST(ControllerTest, AnUnchangedDocumentChangesNothing) {
  ControllerSetup setup;
  setup.Apply("one");
  const Progress again = setup.Apply("one");
  EXPECT_EQ(again.outcome(), Progress::UNCHANGED);
  EXPECT_EQ(again.version().revision(), 1u);
  EXPECT_EQ(*setup.store().CountVersions(), 1);
}

TEST(ControllerTest, ADryRunAsksNodesAlsoAboutWhatRuns) {
  ControllerSetup setup;
  setup.Apply("one");
  const auto node = setup.Connect({});
  ASSERT_TRUE(node->WaitForRoot(setup.controller().current()->info.version.root()));
  ChangeRequest request = ControllerSetup::FromApi();
  request.dry_run = v1::ApplyRequest::NODES;
  const Progress last = setup.Apply(DocumentOf(Yaml("one")), request);
  EXPECT_EQ(last.outcome(), Progress::DRY_RUN_OK) << last.message();
  EXPECT_EQ(last.nodes_size(), 1);
  EXPECT_EQ(*setup.store().CountVersions(), 1);
}

TEST(ControllerTest, ADocumentWithErrorsIsInvalidAndLeavesTheLastGoodOne) {
  ControllerSetup setup;
  setup.Apply("one");
  const Progress bad = setup.Apply(DocumentOf("services: [{nam: x}]"), ControllerSetup::FromApi());
  EXPECT_EQ(bad.outcome(), Progress::INVALID);
  ASSERT_GT(bad.problems_size(), 0);
  EXPECT_EQ(bad.problems(0).file(), "web.yaml");
  EXPECT_EQ(setup.controller().Status("").version().revision(), 1u);
  EXPECT_EQ(setup.controller().counters().invalid, 1u);
}

TEST(ControllerTest, DocumentsReadNothingFromTheStoresFolder) {
  ControllerSetup setup;
  const std::string tls = fmt::format(
      "    tls: {{cert_path: '{0}/a.pem', key_path: '{0}/a.pem'}}\n", setup.store().directory());
  const v1::Document document =
      DocumentOf("services:\n  - name: web\n    bind_address: '127.0.0.1:443'\n" + tls +
                 "    routes: [{name: all, respond: {status: 200}}]\n");
  const auto refused = ::testing::Contains(
      ::testing::Property(&v1::Problem::message, HasSubstr("the controller's own folder")));
  EXPECT_THAT(setup.Apply(document, ControllerSetup::FromApi()).problems(), refused);
  EXPECT_THAT(setup.controller().Validate(document).problems(), refused);
  v1::DiffRequest diff;
  *diff.mutable_document() = document;
  EXPECT_THAT(setup.controller().Diff(diff)->problems(), refused);
}

TEST(ControllerTest, ATentativeDocumentWithErrorsLeavesNoTrace) {
  ControllerSetup setup;
  ChangeRequest request = ControllerSetup::FromApi();
  request.tentative = true;
  EXPECT_EQ(setup.Apply(DocumentOf("{"), request).outcome(), Progress::INVALID);
  EXPECT_EQ(setup.controller().counters().invalid, 0u);
  EXPECT_TRUE(setup.store().ListAudit(10)->empty());
}

TEST(ControllerTest, IfVersionGuardsAgainstSomebodyFaster) {
  ControllerSetup setup;
  setup.Apply("one");
  setup.Apply("two");
  ChangeRequest request = ControllerSetup::FromApi();
  request.if_version = 1;
  const Progress late = setup.Apply(DocumentOf(Yaml("three")), request);
  EXPECT_EQ(late.outcome(), Progress::REFUSED);
  EXPECT_THAT(late.message(), HasSubstr("version 2 is current, not 1"));
  request.if_version = 2;
  EXPECT_EQ(setup.Apply(DocumentOf(Yaml("three")), request).outcome(), Progress::DONE);
}

TEST(ControllerTest, HalfTheRoutesGoneNeedsLeave) {
  ControllerSetup setup;
  setup.Apply("one", 20);
  EXPECT_EQ(setup.Apply("one", 11).outcome(), Progress::DONE);
  const Progress refused = setup.Apply("one", 5);
  EXPECT_EQ(refused.outcome(), Progress::REFUSED);
  EXPECT_THAT(refused.message(), HasSubstr("6 of 11 routes"));
  EXPECT_THAT(refused.message(), HasSubstr("--allow-shrink"));
  ChangeRequest request = ControllerSetup::FromApi();
  request.allow_shrink = true;
  EXPECT_EQ(setup.Apply(DocumentOf(Yaml("one", 5)), request).outcome(), Progress::DONE);
  EXPECT_EQ(setup.Rollback(1).outcome(), Progress::DONE);
  EXPECT_EQ(setup.Rollback(3).outcome(), Progress::DONE) << "it ran once: no accident";
}

TEST(ControllerTest, OneNodesRejectionRefusesTheVersionAndNamesTheLine) {
  ControllerSetup setup;
  setup.Apply("one");
  const auto good = setup.Connect({.id = "good"});
  const auto bad = setup.Connect(
      {.id = "bad", .boot = "b", .refuse = [](const v1::Prepare&) { return "port taken"; }});
  ASSERT_TRUE(good->WaitForRoot(setup.controller().current()->info.version.root()));
  const Progress refused = setup.Apply("two");
  EXPECT_EQ(refused.outcome(), Progress::REFUSED);
  ASSERT_EQ(refused.nodes_size(), 2);
  EXPECT_EQ(refused.nodes(0).stage(), v1::NodeProgress::REJECTED);
  EXPECT_EQ(refused.nodes(0).errors(0).message(), "port taken");
  EXPECT_EQ(refused.nodes(0).errors(0).source(), "web.yaml:3:19");
  EXPECT_EQ(good->version().revision(), 1u);
  EXPECT_EQ(setup.store().Get(2)->state, store::VersionState::kRefused);
  EXPECT_EQ(setup.store().Current()->version.revision(), 1u);
  const v1::FleetStatus status = setup.controller().Status("bad");
  EXPECT_EQ(status.nodes(0).errors(0).source(), "web.yaml:3:19");
}

TEST(ControllerTest, PlacesAreFoundAgainAfterARestart) {
  ControllerSetup setup;
  setup.Apply("one");
  setup.Stop();
  setup.Start();
  const auto bad = setup.Connect({.refuse = [](const v1::Prepare&) { return "port taken"; }});
  ASSERT_TRUE(setup.WaitFor([&] {
    return setup.controller().Status("n1").nodes(0).state() == v1::NodeStatus::REJECTED;
  }));
  EXPECT_EQ(setup.controller().Status("n1").nodes(0).errors(0).source(), "web.yaml:3:19");
}

TEST(ControllerTest, PartialReleasesToThoseThatCan) {
  ControllerSetup setup;
  const auto good = setup.Connect({.id = "good"});
  const auto bad = setup.Connect({.id = "bad", .refuse = [](const v1::Prepare&) { return "no"; }});
  ChangeRequest request = ControllerSetup::FromApi();
  request.partial = true;
  const Progress progress = setup.Apply(DocumentOf(Yaml("one")), request);
  EXPECT_EQ(progress.outcome(), Progress::TIMED_OUT);
  EXPECT_EQ(progress.message(), "version 1 is effective on 1 of 2 nodes");
  EXPECT_EQ(good->version().revision(), 1u);
  EXPECT_EQ(setup.store().Current()->version.revision(), 1u);
}

TEST(ControllerTest, ASilentNodeIsLeftBehind) {
  ControllerSetup setup({.prepare_timeout_ms = 200, .report_interval_ms = 60'000});
  const auto good = setup.Connect({.id = "good"});
  const auto silent = setup.Connect({.id = "silent", .automatic = false});
  const Progress progress = setup.Apply("one");
  EXPECT_EQ(progress.outcome(), Progress::TIMED_OUT);
  EXPECT_EQ(progress.nodes(1).stage(), v1::NodeProgress::LAGGING);
  EXPECT_EQ(good->version().revision(), 1u);
  EXPECT_EQ(setup.controller().Status("silent").nodes(0).state(), v1::NodeStatus::LAGGING);
  EXPECT_EQ(setup.store().Current()->version.revision(), 1u);
}

TEST(ControllerTest, DryRunsChangeNothing) {
  ControllerSetup setup;
  setup.Apply("one");
  const auto node = setup.Connect({});
  ASSERT_TRUE(node->WaitForRoot(setup.controller().current()->info.version.root()));
  ChangeRequest request = ControllerSetup::FromApi();
  for (const auto dry_run : {v1::ApplyRequest::SERVER, v1::ApplyRequest::NODES}) {
    request.dry_run = dry_run;
    const Progress progress = setup.Apply(DocumentOf(Yaml("two")), request);
    EXPECT_EQ(progress.outcome(), Progress::DRY_RUN_OK) << progress.message();
    EXPECT_EQ(progress.changes_size(), 1);
    EXPECT_EQ(progress.nodes_size(), dry_run == v1::ApplyRequest::NODES ? 1 : 0);
  }
  EXPECT_EQ(*setup.store().CountVersions(), 1);
  EXPECT_EQ(node->version().revision(), 1u);
  EXPECT_EQ(node->Count(v1::ControllerMessage::kCommit), 1);
  EXPECT_EQ(setup.store().ListAudit(1)->front().action(), "dry-run");
}

TEST(ControllerTest, ARollbackIsANewRevisionWithAnOldRoot) {
  ControllerSetup setup;
  const auto node = setup.Connect({});
  const Progress first = setup.Apply("one");
  setup.Apply("two");
  const Progress back = setup.Rollback(0);
  EXPECT_EQ(back.outcome(), Progress::DONE) << back.message();
  EXPECT_EQ(back.version().revision(), 3u);
  EXPECT_EQ(back.version().root(), first.version().root());
  EXPECT_EQ(node->version().revision(), 3u);
  EXPECT_EQ(setup.store().Current()->message, "rollback to version 1");
  EXPECT_EQ(setup.store().Document(3)->files(0).content(), Yaml("one"));
  EXPECT_EQ(setup.Rollback(77).outcome(), Progress::REFUSED);
  EXPECT_EQ(setup.Rollback(1).outcome(), Progress::UNCHANGED);
}

TEST(ControllerTest, WithoutAnEarlierVersionThereIsNoWayBack) {
  ControllerSetup setup;
  EXPECT_THAT(setup.Rollback(0).message(), HasSubstr("no earlier version"));
}

TEST(ControllerTest, ARestartPublishesWhatWasCurrent) {
  ControllerSetup setup;
  setup.Apply("one");
  const std::string root = setup.controller().current()->info.version.root();
  setup.Stop();
  setup.Start();
  EXPECT_EQ(setup.controller().Status("").version().revision(), 1u);
  const auto node = setup.Connect({});
  EXPECT_TRUE(node->WaitForRoot(root));
  EXPECT_EQ(setup.Apply("one").outcome(), Progress::UNCHANGED);
}

TEST(ControllerTest, AVersionIsOnDiskBeforeANodeCommitsIt) {
  ControllerSetup setup;
  std::atomic<int> early{0};
  const auto node = setup.Connect({.refuse = [&](const v1::Prepare& prepare) {
    const auto current = setup.store().Current();
    early += current.ok() && current->version.root() == prepare.root();
    return "";
  }});
  EXPECT_EQ(setup.Apply("one").outcome(), Progress::DONE);
  EXPECT_EQ(early, 0) << "not current before it is prepared";
}

TEST(ControllerTest, ChangesAreMadeOneAfterTheOther) {
  ControllerSetup setup;
  const auto node = setup.Connect({});
  constexpr int kChanges = 12;
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (int i = 0; i < kChanges; ++i) {
    threads.emplace_back([&setup, &done, i] {
      done += setup.Apply("word" + std::to_string(i)).outcome() == Progress::DONE;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kChanges);
  EXPECT_EQ(setup.controller().current()->info.version.revision(), uint64_t{kChanges});
  EXPECT_EQ(node->version().root(), setup.controller().current()->info.version.root());
}

TEST(ControllerTest, DiffComparesDocumentsAndVersions) {
  ControllerSetup setup;
  setup.Apply("one");
  setup.Apply("two");
  v1::DiffRequest request;
  *request.mutable_document() = DocumentOf(Yaml("three"));
  auto diff = setup.controller().Diff(request);
  ASSERT_TRUE(diff.ok());
  EXPECT_EQ(diff->against_revision(), 2u);
  ASSERT_EQ(diff->changes_size(), 1);
  EXPECT_THAT(diff->changes(0).lines(0), HasSubstr("two"));
  request.Clear();
  request.set_from_revision(1);
  diff = setup.controller().Diff(request);
  ASSERT_TRUE(diff.ok());
  EXPECT_THAT(diff->changes(0).lines(0), HasSubstr("one"));
  request.set_from_revision(9);
  EXPECT_TRUE(absl::IsNotFound(setup.controller().Diff(request).status()));
}

TEST(ControllerTest, AShutdownRefusesWhatIsNotReleased) {
  ControllerSetup setup;
  const auto silent = setup.Connect({.automatic = false});
  std::thread ending([&] {
    EXPECT_TRUE(silent->WaitForA(v1::ControllerMessage::kPrepare));
    setup.hub().Shutdown(1000);
  });
  const Progress progress = setup.Apply("one");
  ending.join();
  EXPECT_EQ(progress.outcome(), Progress::REFUSED);
  EXPECT_THAT(progress.message(), HasSubstr("ending"));
  EXPECT_EQ(setup.store().Get(1)->state, store::VersionState::kRefused);
}

// --- Nodes that are told apart.

TEST(ControllerTest, WhatTheOldestNodeCannotDoIsRefusedByNameBeforeAByteIsSent) {
  ControllerSetup setup;
  const auto able = setup.Connect({.id = "able", .features = {"retry_policy", "slow_start"}});
  const auto old = setup.Connect({.id = "old", .features = {"hedging", "retry_policy"}});
  const std::string with_slow_start =
      "services:\n"
      "  - name: 'web'\n"
      "    bind_address: '127.0.0.1:18080'\n"
      "    routes:\n"
      "      - name: 'r'\n"
      "        upstreams:\n"
      "          - name: 'backend'\n"
      "            slow_start: 30s\n"
      "            nodes: [{addr: '127.0.0.1:9'}]\n";
  for (const auto dry_run : {v1::ApplyRequest::NODES, v1::ApplyRequest::NONE}) {
    ChangeRequest request = ControllerSetup::FromApi();
    request.dry_run = dry_run;
    const v1::ApplyProgress refused = setup.Apply(DocumentOf(with_slow_start), request);
    EXPECT_EQ(refused.outcome(), v1::ApplyProgress::REFUSED);
    ASSERT_EQ(refused.nodes_size(), 2);
    ASSERT_EQ(refused.nodes(1).errors_size(), 1);
    const v1::ResourceError& error = refused.nodes(1).errors(0);
    EXPECT_EQ(error.resource().name(), "backend");
    EXPECT_NE(error.message().find("node old"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("slow_start"), std::string::npos) << error.message();
    EXPECT_EQ(error.source(), "web.yaml:8:25") << "the line to change";
  }
  EXPECT_EQ(old->Count(v1::ControllerMessage::kOffer), 0);
  EXPECT_EQ(setup.Apply("plain").outcome(), v1::ApplyProgress::DONE);
}

TEST(ControllerTest, ACordonedNodeIsNotWaitedForAndStaysCordonedOverARestart) {
  ControllerSetup setup;
  auto kept = setup.Connect({.id = "kept"});
  const auto other = setup.Connect({.id = "other"});
  EXPECT_EQ(setup.Apply("one").outcome(), v1::ApplyProgress::DONE);
  const v1::Version one = kept->version();
  ASSERT_TRUE(setup.hub().SetCordoned("kept", true).ok());
  EXPECT_TRUE(absl::IsNotFound(setup.hub().SetCordoned("nobody", true)));
  const v1::ApplyProgress applied = setup.Apply("two");
  EXPECT_EQ(applied.outcome(), v1::ApplyProgress::DONE);
  EXPECT_EQ(applied.nodes_size(), 1);
  EXPECT_EQ(kept->version().root(), one.root());

  kept.reset();
  setup.Stop();
  setup.Start();
  kept = setup.Connect({.id = "kept", .boot = "another"});
  EXPECT_EQ(setup.hub().Status("kept").nodes(0).state(), v1::NodeStatus::CORDONED);
  EXPECT_EQ(setup.Apply("three").nodes_size(), 0);
  EXPECT_EQ(kept->Count(v1::ControllerMessage::kOffer), 0);
  ASSERT_TRUE(setup.hub().SetCordoned("kept", false).ok());
  EXPECT_TRUE(kept->WaitForRoot(setup.controller().current()->info.version.root()));
}

TEST(ControllerTest, LabelsOfOperatorsOutliveBothSidesAndGoWithTheNode) {
  ControllerSetup setup;
  const auto label = [&](const std::string& key) {
    const v1::NodeStatus status = setup.hub().Status("n1").nodes(0);
    const auto found = status.hello().labels().find(key);
    return found == status.hello().labels().end() ? "" : found->second;
  };
  auto node = setup.Connect({.labels = {{"zone", "a"}, {"tier", "edge"}}});
  ASSERT_TRUE(setup.hub().ChangeNodeLabels("n1", "zone=b,canary=yes").ok());
  ASSERT_TRUE(setup.hub().ChangeNodeLabels("n1", "canary-").ok());
  EXPECT_FALSE(setup.hub().ChangeNodeLabels("n1", "nonsense").ok());
  EXPECT_TRUE(absl::IsNotFound(setup.hub().ChangeNodeLabels("nobody", "a=b")));
  EXPECT_EQ(label("zone"), "b");
  EXPECT_EQ(label("canary"), "");
  node.reset();
  setup.Stop();
  setup.Start();
  EXPECT_EQ(label("zone"), "b") << "of a node that is away";
  EXPECT_EQ(label("tier"), "edge");
  ASSERT_TRUE(setup.hub().ChangeNodeLabels("n1", "zone-").ok());
  EXPECT_EQ(label("zone"), "a") << "its own word, as it was";
  ASSERT_TRUE(setup.hub().ChangeNodeLabels("n1", "zone=c").ok());
  ASSERT_TRUE(setup.hub().ForgetNode("n1"));
  ASSERT_TRUE(setup.store().ForgetNode("n1").ok());
  node = setup.Connect({.labels = {{"zone", "a"}}});
  EXPECT_EQ(label("zone"), "a");
}

}  // namespace
}  // namespace sluice::apply
