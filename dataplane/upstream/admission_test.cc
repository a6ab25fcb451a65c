#include "dataplane/upstream/admission.h"

#include <gtest/gtest.h>

#include <thread>

#include "dataplane/io/task.h"

namespace sluice::upstream {
namespace {

using Room = Admission::Room;

class AdmissionTest : public testing::Test {
 protected:
  static std::shared_ptr<Admission> Make(AdmissionLimits limits) {
    return std::make_shared<Admission>(limits, 2);
  }
  // Runs what was posted.
  void Turn() {
    reactor_.Post([this] { reactor_.StopOnce(); });
    reactor_.Run();
  }
  io::Task<void> Await(Admission::Place& place, int* turns) {
    io::Wait wait;
    wait.On(place.turn());
    co_await wait;
    ++*turns;
  }

  io::Reactor reactor_;
};

TEST_F(AdmissionTest, LimitsTheCluster) {
  const auto admission = Make({.requests = 2});
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  EXPECT_EQ(admission->Enter(1, false, nullptr), Room::kClusterFull);
  admission->Leave(0);
  EXPECT_EQ(admission->Enter(1, false, nullptr), Room::kTaken);
}

TEST_F(AdmissionTest, LimitsEachEndpoint) {
  const auto admission = Make({.requests = 3, .endpoint_requests = 1});
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kEndpointFull);
  EXPECT_EQ(admission->Enter(1, false, nullptr), Room::kTaken);
  // What was not given does not count.
  admission->Leave(0);
  admission->Leave(1);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  EXPECT_EQ(admission->Enter(1, false, nullptr), Room::kTaken);
}

TEST_F(AdmissionTest, LimitsConnections) {
  const auto admission = Make({.connections = 2, .endpoint_connections = 1});
  ConnectionSlot one, two, three;
  EXPECT_EQ(admission->Enter(0, false, &one), Room::kTaken);
  EXPECT_EQ(admission->Enter(0, false, &two), Room::kNoConnectionThere);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken) << "it needs no new one";
  EXPECT_EQ(admission->Enter(1, false, &two), Room::kTaken);
  EXPECT_EQ(admission->TakeConnection(1, &three), Room::kNoConnection);
  // A request that ends leaves its connection where it is.
  admission->Leave(1);
  EXPECT_EQ(admission->Enter(1, false, &three), Room::kNoConnection);
  ConnectionSlot moved = std::move(two);
  moved = {};
  EXPECT_EQ(admission->Enter(1, false, &three), Room::kTaken);
  EXPECT_TRUE(one.is_of(admission.get()) && three && !two && !moved);
}

TEST_F(AdmissionTest, ARefusedConnectionLeavesNoTrace) {
  const auto admission = Make({.requests = 2, .endpoint_requests = 2, .connections = 1});
  ConnectionSlot one, two;
  EXPECT_EQ(admission->Enter(0, false, &one), Room::kTaken);
  EXPECT_EQ(admission->Enter(0, false, &two), Room::kNoConnection);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
}

TEST_F(AdmissionTest, AConnectionThatEndsCallsWhoWaits) {
  const auto admission = Make({.connections = 1, .pending = 1});
  ConnectionSlot slot;
  ASSERT_EQ(admission->Enter(0, false, &slot), Room::kTaken);
  Admission::Place place(*admission, reactor_);
  int turns = 0;
  io::Task<void> waits = Await(place, &turns);
  waits.Start();
  slot = {};
  Turn();
  EXPECT_EQ(turns, 1);
  EXPECT_EQ(admission->Enter(0, true, &slot), Room::kTaken);
}

TEST_F(AdmissionTest, HoldersAreAskedWhileSomebodyWaits) {
  const auto admission = Make({.connections = 1, .pending = 2});
  ConnectionSlot slot;
  ASSERT_EQ(admission->Enter(0, false, &slot), Room::kTaken);
  int asked = 0;
  auto holder = std::make_unique<Admission::Holder>(*admission, reactor_, [&asked] { ++asked; });
  {
    const Admission::Place one(*admission, reactor_), two(*admission, reactor_);
    Turn();
    EXPECT_EQ(asked, 1) << "once for both";
  }
  Admission::Place place(*admission, reactor_);
  holder.reset();
  Turn();
  EXPECT_EQ(asked, 1) << "it has gone meanwhile";
}

TEST_F(AdmissionTest, RoomIsPassedOnWithinAWorker) {
  const auto admission = Make({.requests = 1, .connections = 1, .pending = 3});
  ASSERT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  io::Reactor elsewhere;
  Admission::Place other(*admission, elsewhere), mine(*admission, reactor_);
  int turns = 0;
  io::Task<void> waits = Await(mine, &turns);
  waits.Start();
  EXPECT_TRUE(admission->CallOn(reactor_));
  EXPECT_FALSE(admission->CallOn(reactor_));
  admission->Leave(0, true);
  Turn();
  EXPECT_EQ(turns, 1);
  EXPECT_TRUE(admission->awaited()) << "the other one still is in line";
  EXPECT_EQ(admission->Enter(0, true, nullptr), Room::kTaken);
}

TEST_F(AdmissionTest, TheQueueHasAnEnd) {
  const auto admission = Make({.requests = 1, .pending = 2});
  const Admission::Place one(*admission, reactor_), two(*admission, reactor_);
  EXPECT_TRUE(one.valid() && two.valid());
  EXPECT_TRUE(one.first());
  EXPECT_FALSE(two.first());
  const Admission::Place three(*admission, reactor_);
  EXPECT_FALSE(three.valid());
}

TEST_F(AdmissionTest, WhoWaitsGoesFirstAndInOrder) {
  const auto admission = Make({.requests = 1, .pending = 2});
  ASSERT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  Admission::Place one(*admission, reactor_), two(*admission, reactor_);
  int first = 0, second = 0;
  io::Task<void> waits = Await(one, &first), waits_too = Await(two, &second);
  waits.Start();
  waits_too.Start();
  admission->Leave(0);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kClusterFull) << "somebody waits";
  Turn();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(admission->Enter(0, true, nullptr), Room::kTaken);
}

TEST_F(AdmissionTest, WhoFindsNoRoomIsTheNext) {
  const auto admission = Make({.requests = 1, .pending = 2});
  ASSERT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  Admission::Place one(*admission, reactor_), two(*admission, reactor_);
  int turns = 0, others = 0;
  io::Task<void> waits = Await(one, &turns), waits_too = Await(two, &others);
  waits.Start();
  waits_too.Start();
  admission->Leave(0);
  Turn();
  one.Again();
  waits = Await(one, &turns);
  waits.Start();
  admission->Leave(0);
  Turn();
  EXPECT_EQ(turns, 2);
  EXPECT_EQ(others, 0);
}

TEST_F(AdmissionTest, ACallToSomebodyGoneGoesToTheNext) {
  const auto admission = Make({.requests = 1, .pending = 2});
  ASSERT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  auto one = std::make_unique<Admission::Place>(*admission, reactor_);
  Admission::Place two(*admission, reactor_);
  int turns = 0;
  io::Task<void> waits = Await(two, &turns);
  waits.Start();
  admission->Leave(0);
  one.reset();
  Turn();
  Turn();
  EXPECT_EQ(turns, 1);
}

TEST_F(AdmissionTest, NeverMoreThanAllowedFromManyThreads) {
  const auto admission = Make({.requests = 3, .endpoint_requests = 2});
  std::atomic<int> inside{0}, most{0};
  const auto work = [&] {
    for (int i = 0; i < 20'000; ++i) {
      const size_t endpoint = static_cast<size_t>(i) % 2;
      if (admission->Enter(endpoint, false, nullptr) != Room::kTaken) continue;
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      --inside;
      admission->Leave(endpoint);
    }
  };
  std::thread one(work), two(work), three(work), four(work);
  for (std::thread* thread : {&one, &two, &three, &four}) thread->join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kTaken);
  EXPECT_EQ(admission->Enter(0, false, nullptr), Room::kEndpointFull);
}

}  // namespace
}  // namespace sluice::upstream
