#include "controlplane/notify/courier.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "controlplane/notify/notifier.h"

namespace sluice::notify {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr CourierOptions kQuick = {.queue_max = 4,
                                   .pause_min = std::chrono::milliseconds(1),
                                   .pause_max = std::chrono::milliseconds(2),
                                   .farewell = std::chrono::milliseconds(5000)};

// A receiver that answers as it is told; its courier's thread calls it.
class Receiver {
 public:
  PostResult Take(const PostRequest& request) {
    std::unique_lock lock(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    if (answers_.empty()) return {200, ""};
    const PostResult answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }
  void Answer(std::vector<PostResult> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
  }
  // Closed: it does not answer.
  void SetOpen(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::vector<PostRequest> Await(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(40),
                                  [&] { return requests_.size() >= count; }));
    return requests_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PostRequest> requests_;
  std::vector<PostResult> answers_;
  bool open_ = true;
};

class CourierTest : public ::testing::Test {
 protected:
  CourierTest() {
    webhook_.name = "hook";
    webhook_.url = "http://receiver/";
    webhook_.events = {EventKind::kVersion, EventKind::kNode};
    webhook_.secret = "0123456789abcdef";
    webhook_.attempts = 3;
  }
  void Begin(CourierOptions options = kQuick) {
    courier_ = std::make_unique<Courier>(
        webhook_, options, [this](const PostRequest& request) { return receiver_.Take(request); });
  }
  void Add(const std::string& action, EventKind kind = EventKind::kVersion) {
    Event event;
    event.kind = kind;
    event.action = action;
    courier_->Add(event);
  }
  CourierCounters End() {
    // Ends when everything has been dealt with.
    while (courier_->counters().queued > 0) std::this_thread::yield();
    return courier_->counters();
  }
  static std::vector<std::string> ActionsOf(const std::vector<PostRequest>& requests) {
    std::vector<std::string> actions;
    for (const PostRequest& request : requests) {
      actions.push_back(nlohmann::json::parse(request.body)["action"].get<std::string>());
    }
    return actions;
  }

  Webhook webhook_;
  Receiver receiver_;
  std::unique_ptr<Courier> courier_;
};

TEST_F(CourierTest, EventsArriveInOrderWithTheirHeaders) {
  Begin();
  Add("released");
  Add("connected", EventKind::kNode);
  const auto requests = receiver_.Await(2);
  EXPECT_THAT(ActionsOf(requests), ElementsAre("released", "connected"));
  const auto header = [&](size_t i, const std::string& name) {
    for (const auto& [key, value] : requests[i].headers) {
      if (key == name) return value;
    }
    return std::string("missing");
  };
  EXPECT_EQ(header(0, "Sluice-Event"), "version");
  EXPECT_EQ(header(1, "Sluice-Event"), "node");
  EXPECT_EQ(header(0, "Sluice-Delivery"),
            nlohmann::json::parse(requests[0].body)["id"].get<std::string>());
  EXPECT_NE(header(0, "Sluice-Delivery"), header(1, "Sluice-Delivery"));
  EXPECT_TRUE(header(0, "Sluice-Signature").starts_with("t="));
  EXPECT_EQ(End().delivered, 2u);
}

TEST_F(CourierTest, EventsThatNobodyWantsAreLeftOut) {
  webhook_.events = {EventKind::kNode};
  Begin();
  Add("released");
  Add("wave", EventKind::kRollout);
  Add("connected", EventKind::kNode);
  EXPECT_THAT(ActionsOf(receiver_.Await(1)), ElementsAre("connected"));
}

TEST_F(CourierTest, WhatMayPassIsTriedAgainUnderTheSameName) {
  Begin();
  receiver_.Answer({{500, ""}, {0, "no connection"}, {204, ""}});
  Add("released");
  const auto requests = receiver_.Await(3);
  EXPECT_EQ(requests[0].body, requests[2].body);
  const CourierCounters counters = End();
  EXPECT_EQ(counters.delivered, 1u);
  EXPECT_EQ(counters.retries, 2u);
  EXPECT_EQ(counters.failed, 0u);
}

TEST_F(CourierTest, AttemptsHaveAnEndAndTheNextEventGetsItsTurn) {
  Begin();
  receiver_.Answer({{503, ""}, {429, ""}, {503, ""}});
  Add("lost");
  Add("released");
  EXPECT_THAT(ActionsOf(receiver_.Await(4)), ElementsAre("lost", "lost", "lost", "released"));
  const CourierCounters counters = End();
  EXPECT_EQ(counters.failed, 1u);
  EXPECT_EQ(counters.delivered, 1u);
}

TEST_F(CourierTest, WhatIsRefusedForGoodIsNotTriedAgain) {
  for (const int status : {301, 302, 400, 401, 404, 410}) {
    Begin();
    receiver_.Answer({{status, ""}});
    Add("released");
    const CourierCounters counters = End();
    EXPECT_EQ(counters.failed, 1u) << status;
    EXPECT_EQ(counters.retries, 0u) << status;
  }
}

TEST_F(CourierTest, BeyondTheQueueTheOldestIsDropped) {
  receiver_.SetOpen(false);
  Begin();
  Add("under way");
  receiver_.Await(1);
  for (int i = 0; i < 7; ++i) Add(std::to_string(i));
  EXPECT_EQ(courier_->counters().dropped, 3u);
  EXPECT_EQ(courier_->counters().queued, 5u);
  receiver_.SetOpen(true);
  EXPECT_THAT(ActionsOf(receiver_.Await(5)), ElementsAre("under way", "3", "4", "5", "6"));
}

TEST_F(CourierTest, WhatWaitsIsDeliveredBeforeTheEnd) {
  receiver_.SetOpen(false);
  Begin();
  for (const char* action : {"a", "b", "c"}) Add(action);
  receiver_.Await(1);
  receiver_.SetOpen(true);
  courier_.reset();
  EXPECT_THAT(receiver_.Await(3), SizeIs(3));
}

TEST_F(CourierTest, TheEndComesAlsoWhereNobodyTakesAnything) {
  CourierOptions options = kQuick;
  options.pause_min = options.pause_max = std::chrono::hours(1);
  receiver_.Answer({{500, ""}, {500, ""}, {500, ""}});
  Begin(options);
  for (const char* action : {"a", "b", "c"}) Add(action);
  receiver_.Await(1);
  courier_.reset();  // Once each, without a pause.
  EXPECT_THAT(ActionsOf(receiver_.Await(3)), ElementsAre("a", "b", "c"));
}

TEST_F(CourierTest, ADeadReceiverIsFoundOutWithoutAnybodyWaiting) {
  Webhook dead = webhook_;
  dead.url = "http://127.0.0.1:1/";
  dead.attempts = 1;
  const Notifier notifier({dead}, kQuick);
  notifier.Publish({.kind = EventKind::kVersion, .action = "released"});
  while (notifier.figures().front().counters.failed == 0) std::this_thread::yield();
  EXPECT_EQ(notifier.figures().front().webhook, "hook");
}

TEST(NotifierTest, WithoutWebhooksNothingHappens) {
  const Notifier notifier;
  notifier.Publish({.kind = EventKind::kVersion, .action = "released"});
  EXPECT_THAT(notifier.figures(), SizeIs(0));
}

}  // namespace
}  // namespace sluice::notify
