#include "dataplane/control/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "common/config/features.h"
#include "common/snapshot/delta.h"
#include "dataplane/control/testing.h"

namespace sluice::control {
namespace {

using snapshot::Resources;
using testing::FakeDataplane;
using ::testing::HasSubstr;
using testing::SnapshotWith;
using testing::VersionOf;
using Case = v1::ProxyMessage::MessageCase;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    identity_.node_id = "node-1";
    identity_.boot_id = "boot";
    identity_.labels = {{"zone", "a"}};
    Begin();
  }

  void Begin() {
    session_.reset();
    sent_.clear();
    session_ = std::make_unique<Session>(
        identity_, activator_, dataplane_,
        [this](const v1::Command& command) { return RunCommand(command); },
        [this](v1::ProxyMessage message) { sent_.push_back(std::move(message)); });
  }

  virtual absl::StatusOr<std::string> RunCommand(const v1::Command& command) {
    if (command.has_drain()) return std::string("{\"draining\":true}");
    if (command.has_dump()) return std::string(size_t{5} << 20, 'x');
    return absl::UnimplementedError("no such command");
  }

  // The controller's words.
  void Offer(const Resources* base, const Resources& target, uint64_t revision) {
    const auto delta = snapshot::EncodeDelta(base, target, VersionOf(target, revision));
    v1::ControllerMessage message;
    *message.mutable_offer() = delta.offer;
    session_->OnMessage(message);
    for (const v1::Chunk& chunk : delta.chunks) {
      *message.mutable_chunk() = chunk;
      session_->OnMessage(message);
    }
  }
  void Prepare(const std::string& root, bool dry_run = false) {
    v1::ControllerMessage message;
    message.mutable_prepare()->set_root(root);
    message.mutable_prepare()->set_dry_run(dry_run);
    session_->OnMessage(message);
  }
  void Prepare(const Resources& target) { Prepare(snapshot::RootOf(target)); }
  void Commit(const Resources& target, uint64_t revision) {
    v1::ControllerMessage message;
    *message.mutable_commit()->mutable_version() = VersionOf(target, revision);
    session_->OnMessage(message);
  }
  void Discard(const Resources& target) {
    v1::ControllerMessage message;
    message.mutable_discard()->set_root(snapshot::RootOf(target));
    session_->OnMessage(message);
  }
  void Deliver(const Resources& target, uint64_t revision) {
    Offer(nullptr, target, revision);
    Prepare(target);
    Commit(target, revision);
  }

  std::vector<Case> Sent() const {
    std::vector<Case> cases;
    for (const auto& message : sent_) cases.push_back(message.message_case());
    return cases;
  }
  v1::ProxyMessage TakeOnly() {
    EXPECT_EQ(sent_.size(), 1u);
    if (sent_.empty()) return {};
    v1::ProxyMessage message = sent_.back();
    sent_.clear();
    return message;
  }

  FakeDataplane dataplane_;
  Activator activator_{dataplane_, nullptr, nullptr};
  NodeIdentity identity_;
  std::vector<v1::ProxyMessage> sent_;
  std::unique_ptr<Session> session_;
  const Resources one_ = SnapshotWith("one"), two_ = SnapshotWith("two");
};

TEST_F(SessionTest, HelloTellsWhoAndWhatIsServed) {
  session_->Start();
  v1::Hello hello = TakeOnly().hello();
  EXPECT_EQ(hello.node_id(), "node-1");
  EXPECT_EQ(hello.boot_id(), "boot");
  EXPECT_EQ(hello.labels().at("zone"), "a");
  EXPECT_EQ(hello.protocol_version(), 1u);
  EXPECT_EQ(hello.snapshot_bytes_max(), Session::kSnapshotBytesMax);
  EXPECT_THAT(hello.features(), ::testing::ElementsAreArray(config::KnownFeatures()));
  EXPECT_FALSE(hello.has_current());

  Deliver(one_, 3);
  dataplane_.draining_now = true;
  Begin();
  session_->Start();
  hello = TakeOnly().hello();
  EXPECT_EQ(hello.current().root(), snapshot::RootOf(one_));
  EXPECT_EQ(hello.current().revision(), 3u);
  EXPECT_TRUE(hello.draining());
}

TEST_F(SessionTest, ClimbsTheLadderInOrder) {
  dataplane_.effective_at_once = false;
  Offer(nullptr, one_, 1);
  EXPECT_TRUE(sent_.empty());
  Prepare(one_);
  EXPECT_EQ(TakeOnly().prepared().root(), snapshot::RootOf(one_));
  EXPECT_FALSE(activator_.has_active());
  Commit(one_, 1);
  EXPECT_EQ(TakeOnly().applied().version().revision(), 1u);
  dataplane_.BecomeEffective();
  const v1::ProxyMessage effective = TakeOnly();
  EXPECT_EQ(effective.effective().version().root(), snapshot::RootOf(one_));
}

TEST_F(SessionTest, AppliedComesBeforeEffectiveEvenWhenWorkersAreInstant) {
  Deliver(one_, 1);
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kPrepared, Case::kApplied, Case::kEffective}));
}

TEST_F(SessionTest, DeltaBuildsOnWhatIsServed) {
  Deliver(one_, 1);
  sent_.clear();
  Offer(&one_, two_, 2);
  Prepare(two_);
  Commit(two_, 2);
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kPrepared, Case::kApplied, Case::kEffective}));
  EXPECT_EQ(dataplane_.current.route_tables.at(0).routes(0).respond().body(), "two");
}

TEST_F(SessionTest, DeltaOnAnotherBaseAsksForEverything) {
  Offer(&one_, two_, 2);
  Prepare(two_);
  const v1::ProxyMessage answer = TakeOnly();
  EXPECT_EQ(answer.resync().expected_root(), snapshot::RootOf(two_));
  EXPECT_EQ(dataplane_.prepares, 0);
  Offer(nullptr, two_, 2);
  Prepare(two_);
  EXPECT_TRUE(TakeOnly().has_prepared());
}

TEST_F(SessionTest, WrongRebuiltRootAsksForEverythingOnce) {
  Deliver(one_, 1);
  sent_.clear();
  const auto delta = snapshot::EncodeDelta(&one_, two_, VersionOf(two_, 2));
  v1::ControllerMessage message;
  *message.mutable_offer() = delta.offer;
  message.mutable_offer()->mutable_version()->set_root(std::string(32, 'r'));
  session_->OnMessage(message);
  for (v1::Chunk chunk : delta.chunks) {
    chunk.set_root(std::string(32, 'r'));
    *message.mutable_chunk() = chunk;
    session_->OnMessage(message);
  }
  Prepare(std::string(32, 'r'));
  v1::ProxyMessage answer = TakeOnly();
  EXPECT_EQ(answer.resync().expected_root(), std::string(32, 'r'));
  EXPECT_EQ(answer.resync().computed_root(), snapshot::RootOf(two_));

  // Everything, and still not what it is said to be: asking again would go on for ever.
  const auto all = snapshot::EncodeDelta(nullptr, two_, VersionOf(two_, 2));
  *message.mutable_offer() = all.offer;
  message.mutable_offer()->mutable_version()->set_root(std::string(32, 'r'));
  session_->OnMessage(message);
  for (v1::Chunk chunk : all.chunks) {
    chunk.set_root(std::string(32, 'r'));
    *message.mutable_chunk() = chunk;
    session_->OnMessage(message);
  }
  Prepare(std::string(32, 'r'));
  answer = TakeOnly();
  EXPECT_EQ(answer.rejected().root(), std::string(32, 'r'));
  EXPECT_EQ(activator_.active_version().root(), snapshot::RootOf(one_));
}

TEST_F(SessionTest, MalformedChunkIsRejectedWithWords) {
  v1::ControllerMessage message;
  *message.mutable_offer()->mutable_version() = VersionOf(one_, 1);
  message.mutable_offer()->set_bytes(4);
  session_->OnMessage(message);
  message.mutable_chunk()->set_root(snapshot::RootOf(one_));
  message.mutable_chunk()->set_data("\x03\xff\xff\xff");
  session_->OnMessage(message);
  Prepare(one_);
  const v1::ProxyMessage answer = TakeOnly();
  ASSERT_EQ(answer.rejected().errors_size(), 1);
  EXPECT_NE(answer.rejected().errors(0).message(), "");
}

TEST_F(SessionTest, RejectionNamesResourceFieldAndReason) {
  Deliver(one_, 1);
  sent_.clear();
  v1::ResourceError refusal;
  refusal.mutable_resource()->set_kind(v1::RESOURCE_KIND_LISTENER);
  refusal.mutable_resource()->set_name("web");
  refusal.set_field("address");
  refusal.set_message("in use");
  dataplane_.refusals = {refusal};
  Offer(&one_, two_, 2);
  Prepare(two_);
  v1::ProxyMessage answer = TakeOnly();
  ASSERT_EQ(answer.rejected().errors_size(), 1);
  EXPECT_EQ(answer.rejected().errors(0).SerializeAsString(), refusal.SerializeAsString());

  Prepare(two_);  // Asked again: the same answer, without the work.
  EXPECT_TRUE(TakeOnly().has_rejected());
  EXPECT_EQ(dataplane_.prepares, 2);
  Commit(two_, 2);  // A controller that does not listen.
  EXPECT_TRUE(TakeOnly().has_resync());
  EXPECT_EQ(activator_.active_version().revision(), 1u);
  EXPECT_THAT(activator_.last_errors().back(), HasSubstr("web: address: in use"));
}

TEST_F(SessionTest, InvalidSnapshotNeverReachesTheDataplane) {
  const Resources bad = {one_[0], one_[1]};  // A listener without its route table.
  Offer(nullptr, bad, 1);
  Prepare(bad);
  const v1::ProxyMessage answer = TakeOnly();
  ASSERT_GE(answer.rejected().errors_size(), 1);
  EXPECT_EQ(dataplane_.prepares, 0);
}

TEST_F(SessionTest, NewestOfferWins) {
  const auto delta = snapshot::EncodeDelta(nullptr, one_, VersionOf(one_, 1));
  v1::ControllerMessage first;
  *first.mutable_offer() = delta.offer;
  session_->OnMessage(first);
  Offer(nullptr, two_, 2);
  v1::ControllerMessage late;
  *late.mutable_chunk() = delta.chunks.at(0);
  session_->OnMessage(late);
  Prepare(one_);
  EXPECT_TRUE(sent_.empty());
  Prepare(two_);
  EXPECT_EQ(TakeOnly().prepared().root(), snapshot::RootOf(two_));

  // Also when the older one has been prepared already.
  const Resources three = SnapshotWith("three");
  Offer(nullptr, three, 3);
  EXPECT_EQ(dataplane_.prepared_revision, 0u);
  Commit(two_, 2);
  EXPECT_TRUE(TakeOnly().has_resync());
  Prepare(three);
  EXPECT_TRUE(TakeOnly().has_prepared());
  Commit(three, 3);
  EXPECT_EQ(activator_.active_version().revision(), 3u);
}

TEST_F(SessionTest, DryRunIsPreparedAndGivenUp) {
  Offer(nullptr, one_, 1);
  Prepare(snapshot::RootOf(one_), true);
  EXPECT_TRUE(TakeOnly().has_prepared());
  EXPECT_EQ(dataplane_.prepared_revision, 0u);
  Commit(one_, 1);
  EXPECT_TRUE(TakeOnly().has_resync());
}

TEST_F(SessionTest, DiscardGivesUpWhatItNamesOnly) {
  Offer(nullptr, one_, 1);
  Prepare(one_);
  sent_.clear();
  Discard(two_);
  EXPECT_EQ(dataplane_.prepared_revision, 1u);
  Discard(one_);
  EXPECT_EQ(dataplane_.prepared_revision, 0u);
  Commit(one_, 1);
  EXPECT_TRUE(TakeOnly().has_resync());
}

TEST_F(SessionTest, PrepareAskedTwiceIsAnsweredTwice) {
  Offer(nullptr, one_, 1);
  Prepare(one_);
  Prepare(one_);
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kPrepared, Case::kPrepared}));
  EXPECT_EQ(dataplane_.prepares, 1);
}

TEST_F(SessionTest, PreparedIsSaidWhenItIsWarm) {
  dataplane_.warm_at_once = false;
  Offer(nullptr, one_, 1);
  Prepare(one_);
  Prepare(one_);  // Asked again: the answer is on its way.
  EXPECT_TRUE(sent_.empty());
  dataplane_.BecomeWarm();
  EXPECT_EQ(TakeOnly().prepared().root(), snapshot::RootOf(one_));
  Prepare(one_);
  EXPECT_EQ(TakeOnly().prepared().root(), snapshot::RootOf(one_));
}

TEST_F(SessionTest, WhatIsGivenUpIsNeverWarm) {
  dataplane_.warm_at_once = false;
  Offer(nullptr, one_, 1);
  Prepare(one_);
  Offer(nullptr, two_, 2);
  dataplane_.BecomeWarm();
  EXPECT_TRUE(sent_.empty());
  Prepare(two_);
  Discard(two_);
  dataplane_.BecomeWarm();
  EXPECT_TRUE(sent_.empty());
  Offer(nullptr, two_, 3);
  Prepare(two_);
  session_.reset();
  EXPECT_FALSE(dataplane_.warming);
}

TEST_F(SessionTest, ADryRunWaitsForNobody) {
  dataplane_.warm_at_once = false;
  Offer(nullptr, one_, 1);
  Prepare(snapshot::RootOf(one_), true);
  EXPECT_EQ(TakeOnly().prepared().root(), snapshot::RootOf(one_));
}

TEST_F(SessionTest, PrepareOfWhatWasNeverOfferedAsksForIt) {
  Prepare(one_);
  EXPECT_EQ(TakeOnly().resync().expected_root(), snapshot::RootOf(one_));
}

TEST_F(SessionTest, ServedRootUnderNewNumberNeedsNothingSent) {
  Deliver(one_, 1);
  sent_.clear();
  Commit(one_, 9);
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kApplied, Case::kEffective}));
  EXPECT_EQ(activator_.active_version().revision(), 9u);
  EXPECT_EQ(dataplane_.renumbered, 9u);
  EXPECT_EQ(dataplane_.prepares, 1);
}

TEST_F(SessionTest, RenumberingWaitsForTheCommitUnderWay) {
  dataplane_.effective_at_once = false;
  Deliver(one_, 1);
  sent_.clear();
  Commit(one_, 2);
  EXPECT_TRUE(TakeOnly().has_applied());
  EXPECT_EQ(dataplane_.renumbered, 0u);
  dataplane_.BecomeEffective();
  EXPECT_EQ(dataplane_.renumbered, 2u);
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kEffective, Case::kEffective}));
  EXPECT_EQ(sent_.back().effective().version().revision(), 2u);
}

TEST_F(SessionTest, ANumberThatWaitedIsNotTheNextVersions) {
  dataplane_.effective_at_once = false;
  Deliver(one_, 1);
  Commit(one_, 2);
  Deliver(two_, 3);
  dataplane_.BecomeEffective();
  EXPECT_EQ(dataplane_.renumbered, 0u);
  EXPECT_EQ(activator_.active_version().revision(), 3u);
}

TEST_F(SessionTest, EndOfTheStreamGivesUpWhatIsPreparedNotWhatIsCommitted) {
  dataplane_.effective_at_once = false;
  Deliver(one_, 1);
  Offer(nullptr, two_, 2);
  Prepare(two_);
  EXPECT_EQ(dataplane_.prepared_revision, 2u);
  session_.reset();
  EXPECT_EQ(dataplane_.prepared_revision, 0u);
  sent_.clear();
  dataplane_.BecomeEffective();
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(activator_.active_version().revision(), 1u);
}

TEST_F(SessionTest, UnknownMessagesAreIgnored) {
  v1::ControllerMessage message;
  ASSERT_TRUE(
      message.ParseFromString(std::string("\xfa\x07\x03"
                                          "abc",
                                          6)));  // Field 127.
  session_->OnMessage(message);
  EXPECT_TRUE(sent_.empty());
  Deliver(one_, 1);
  EXPECT_EQ(activator_.active_version().revision(), 1u);
}

TEST_F(SessionTest, CommandsAreAnsweredUnderTheirNumber) {
  v1::ControllerMessage message;
  message.mutable_command()->set_id(5);
  message.mutable_command()->mutable_drain();
  session_->OnMessage(message);
  v1::CommandResult result = TakeOnly().command_result();
  EXPECT_EQ(result.id(), 5u);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.json(), "{\"draining\":true}");

  message.mutable_command()->clear_command();
  session_->OnMessage(message);
  result = TakeOnly().command_result();
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.error(), "no such command");
}

TEST_F(SessionTest, AnswerTooLargeForAMessageIsAnError) {
  v1::ControllerMessage message;
  message.mutable_command()->mutable_dump()->set_what("config");
  session_->OnMessage(message);
  const v1::CommandResult result = TakeOnly().command_result();
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.error(), HasSubstr("admin address"));
}

TEST_F(SessionTest, WelcomeSetsTheReportIntervalWithinLimits) {
  EXPECT_FALSE(session_->welcomed());
  for (const auto& [asked, got] :
       std::map<uint32_t, uint32_t>{{0, 2000},
                                    {1, Session::kReportIntervalMsMin},
                                    {500, 500},
                                    {4'000'000'000u, Session::kReportIntervalMsMax}}) {
    Begin();
    v1::ControllerMessage message;
    message.mutable_welcome()->set_report_interval_ms(asked);
    session_->OnMessage(message);
    EXPECT_TRUE(session_->welcomed());
    EXPECT_EQ(session_->report_interval_ms(), got);
  }
}

TEST_F(SessionTest, BackoffIsKeptForWhoeverOwnsTheStream) {
  v1::ControllerMessage message;
  message.mutable_backoff()->set_retry_after_ms(0xffffffff);
  session_->OnMessage(message);
  EXPECT_EQ(session_->retry_after_ms(), Session::kRetryAfterMsMax);
}

TEST_F(SessionTest, ReportTellsVersionProcessAndErrors) {
  Deliver(one_, 4);
  sent_.clear();
  dataplane_.report_to_fill.set_requests_total(12);
  activator_.NoteError("something");
  session_->SendReport();
  const v1::Report report = TakeOnly().report();
  EXPECT_EQ(report.current().revision(), 4u);
  EXPECT_EQ(report.requests_total(), 12u);
  EXPECT_GT(report.rss_bytes(), 0u);
  EXPECT_GT(report.open_files(), 0u);
  EXPECT_THAT(report.last_errors(), ::testing::ElementsAre("something"));
}

TEST_F(SessionTest, HugeReportKeepsTheSickEndpoints) {
  for (int i = 0; i < 30'000; ++i) {
    v1::EndpointHealth& endpoint = *dataplane_.report_to_fill.add_endpoints();
    endpoint.set_cluster(std::string(100, 'c'));
    endpoint.set_address(std::to_string(i));
    endpoint.set_healthy(i != 29'999);
  }
  session_->SendReport();
  const v1::ProxyMessage message = TakeOnly();
  EXPECT_LE(message.ByteSizeLong(), Session::kMessageBytesMax + 1000);
  ASSERT_GT(message.report().endpoints_size(), 1000);
  EXPECT_EQ(message.report().endpoints(0).address(), "29999");
}

TEST_F(SessionTest, HealthChangesAreSentAtOnce) {
  v1::EndpointHealth health;
  health.set_cluster("users");
  session_->SendHealthChange(health);
  EXPECT_EQ(TakeOnly().health_change().endpoint().cluster(), "users");
}

TEST_F(SessionTest, APreflightIsReportedUntilWhatIsPreparedGoes) {
  Deliver(one_, 1);
  Offer(&one_, two_, 2);
  Prepare(two_);
  sent_.clear();
  v1::ControllerMessage message;
  message.mutable_preflight()->set_root(snapshot::RootOf(two_));
  message.mutable_preflight()->set_sample_percent(25);
  session_->OnMessage(message);
  EXPECT_EQ(dataplane_.preflight_percent, 25u);
  dataplane_.preflight_to_report.set_requests(9);
  session_->SendReport();
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kReport, Case::kPreflightReport}));
  EXPECT_EQ(sent_.back().preflight_report().root(), snapshot::RootOf(two_));
  EXPECT_EQ(sent_.back().preflight_report().requests(), 9u);
  sent_.clear();
  Discard(two_);
  EXPECT_EQ(dataplane_.preflight_percent, 0u);
  session_->SendReport();
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kReport}));
}

TEST_F(SessionTest, ThereIsNoPreflightOfWhatIsNotPrepared) {
  Deliver(one_, 1);
  v1::ControllerMessage message;
  message.mutable_preflight()->set_root(snapshot::RootOf(two_));
  message.mutable_preflight()->set_sample_percent(100);
  session_->OnMessage(message);
  message.mutable_preflight()->clear_root();
  session_->OnMessage(message);
  EXPECT_EQ(dataplane_.preflight_percent, 0u);
}

TEST_F(SessionTest, ADryRunThatIsKeptStaysUntilDiscard) {
  Offer(nullptr, one_, 1);
  v1::ControllerMessage message;
  message.mutable_prepare()->set_root(snapshot::RootOf(one_));
  message.mutable_prepare()->set_dry_run(true);
  message.mutable_prepare()->set_keep(true);
  session_->OnMessage(message);
  EXPECT_EQ(Sent(), (std::vector<Case>{Case::kPrepared}));
  EXPECT_EQ(activator_.prepared_root(), snapshot::RootOf(one_));
  Discard(one_);
  EXPECT_EQ(activator_.prepared_root(), "");
}

TEST_F(SessionTest, AStreamThatEndsEndsThePreflight) {
  Offer(nullptr, one_, 1);
  Prepare(one_);
  v1::ControllerMessage message;
  message.mutable_preflight()->set_root(snapshot::RootOf(one_));
  message.mutable_preflight()->set_sample_percent(100);
  session_->OnMessage(message);
  EXPECT_EQ(dataplane_.preflight_percent, 100u);
  Begin();
  EXPECT_EQ(dataplane_.preflight_percent, 0u);
}

TEST_F(SessionTest, WhatKilledTheProxyIsSaidAtOnceAndRefusedWhoeverOffersIt) {
  const Resources deadly = SnapshotWith("deadly");
  v1::Rejected& refused = identity_.refuses.emplace_back();
  refused.set_root(snapshot::RootOf(deadly));
  refused.add_errors()->set_message("it died");
  Begin();
  session_->Start();
  EXPECT_EQ(sent_.front().hello().refuses(0).errors(0).message(), "it died");
  for (const bool dry_run : {false, true}) {
    Offer(nullptr, deadly, 7);
    Prepare(snapshot::RootOf(deadly), dry_run);
    ASSERT_TRUE(sent_.back().has_rejected());
    EXPECT_EQ(sent_.back().rejected().errors(0).message(), "it died");
  }
  EXPECT_EQ(dataplane_.prepares, 0);
  Deliver(SnapshotWith("mended"), 8);
  EXPECT_TRUE(sent_.back().has_effective());
}

}  // namespace
}  // namespace sluice::control
