// A fleet without streams: tests say what nodes say, and see what they are sent.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/publish/fleet.h"
#include "controlplane/publish/testing_resources.h"

namespace sluice::publish::testing {

constexpr int64_t kTimeoutMs = 1000;

class FleetTest : public ::testing::Test {
 protected:
  using Kind = v1::ControllerMessage::MessageCase;
  using Progress = v1::NodeProgress;
  static constexpr Kind kWelcome = v1::ControllerMessage::kWelcome;
  static constexpr Kind kOffer = v1::ControllerMessage::kOffer;
  static constexpr Kind kChunk = v1::ControllerMessage::kChunk;
  static constexpr Kind kPrepare = v1::ControllerMessage::kPrepare;
  static constexpr Kind kCommit = v1::ControllerMessage::kCommit;
  static constexpr Kind kDiscard = v1::ControllerMessage::kDiscard;

  FleetTest()
      : fleet_(
            {.prepare_timeout_ms = kTimeoutMs, .report_interval_ms = 200},
            [](const std::string&) { return nullptr; },
            [this](uint64_t stream, SharedMessage message) {
              v1::ControllerMessage parsed;
              ASSERT_TRUE(parsed.ParseFromString(message->bytes));
              ASSERT_EQ(parsed.message_case(), message->kind);
              sent_[stream].push_back(std::move(parsed));
            }) {}

  Fleet::Greeting Connect(uint64_t stream, const std::string& id, const v1::Version& current = {},
                          const std::string& boot = "boot") {
    return fleet_.OnHello(stream, HelloOf(id, boot, current), "peer", now_, now_);
  }
  // A node that has what is released.
  void ConnectSynced(uint64_t stream, const std::string& id) {
    ASSERT_TRUE(Connect(stream, id, fleet_.released()).status.ok());
    Taken(stream);
  }
  void Release(uint64_t revision, const std::string& word) {
    const RolloutRequest request = RequestOf(revision, word);
    fleet_.SetReleased(request.version, request.resources);
  }
  void StartRollout(const RolloutRequest& request) { fleet_.StartRollout(request, now_); }

  void Prepared(uint64_t stream, const std::string& root) {
    v1::ProxyMessage message;
    message.mutable_prepared()->set_root(root);
    fleet_.OnMessage(stream, message, now_, now_);
  }
  void Rejected(uint64_t stream, const std::string& root, const std::string& why) {
    v1::ProxyMessage message;
    message.mutable_rejected()->set_root(root);
    message.mutable_rejected()->add_errors()->set_message(why);
    fleet_.OnMessage(stream, message, now_, now_);
  }
  void Effective(uint64_t stream, const v1::Version& version) {
    v1::ProxyMessage message;
    *message.mutable_applied()->mutable_version() = version;
    fleet_.OnMessage(stream, message, now_, now_);
    *message.mutable_effective()->mutable_version() = version;
    fleet_.OnMessage(stream, message, now_, now_);
  }
  void Resync(uint64_t stream, const std::string& root) {
    v1::ProxyMessage message;
    message.mutable_resync()->set_expected_root(root);
    fleet_.OnMessage(stream, message, now_, now_);
  }
  void PassTime(int64_t ms) {
    now_ += ms;
    fleet_.Tick(now_);
  }

  std::vector<Kind> Taken(uint64_t stream) {
    std::vector<Kind> kinds;
    last_.clear();
    for (v1::ControllerMessage& message : sent_[stream]) {
      kinds.push_back(message.message_case());
      last_[message.message_case()] = message;
    }
    sent_[stream].clear();
    return kinds;
  }
  const v1::ControllerMessage& Last(Kind kind) { return last_[kind]; }

  Progress::Stage StageOf(const std::string& id) {
    for (const v1::NodeProgress& node : fleet_.rollout().Progress()) {
      if (node.node_id() == id) return node.stage();
    }
    ADD_FAILURE() << id << " takes no part";
    return Progress::WAITING;
  }
  RolloutPhase phase() const { return fleet_.rollout().phase(); }
  v1::NodeStatus Status(const std::string& id) {
    const ProxyNode& node = fleet_.nodes().at(id);
    return StatusOf(node, fleet_.MeantFor(node), now_, 200);
  }

  NodeView ViewOf(const std::string& id, const std::string& root) {
    for (const NodeView& view : fleet_.View(root, "", now_)) {
      if (view.id == id) return view;
    }
    ADD_FAILURE() << id << " is not known";
    return {};
  }

  int64_t now_ = 1'000'000;
  Fleet fleet_;
  std::map<uint64_t, std::vector<v1::ControllerMessage>> sent_;
  std::map<Kind, v1::ControllerMessage> last_;
};

}  // namespace sluice::publish::testing
