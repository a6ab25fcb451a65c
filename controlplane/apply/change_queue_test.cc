#include "controlplane/apply/change_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::apply {
namespace {

TEST(ChangeQueueTest, OnlyOneIsInsideAndOnlySomeWait) {
  ChangeQueue queue(2);
  ASSERT_TRUE(queue.Enter(false));
  std::atomic<int> inside{0}, entered{0};
  std::vector<std::thread> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.emplace_back([&] {
      const ChangeQueue::Turn turn(queue, false);
      entered += turn.entered();
      EXPECT_EQ(++inside, 1);
      --inside;
    });
  }
  while (queue.waiting() < 2) std::this_thread::yield();
  EXPECT_FALSE(queue.Enter(false));
  EXPECT_EQ(entered, 0);
  queue.Leave();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(entered, 2);
  EXPECT_TRUE(queue.Enter(false));
  queue.Leave();
}

TEST(ChangeQueueTest, OnlyThoseWhoPressAreWaitedFor) {
  ChangeQueue queue(2);
  ASSERT_TRUE(queue.Enter(true));
  EXPECT_FALSE(queue.WaitForPressure(std::chrono::milliseconds(0))) << "whoever is inside";
  std::thread patient([&] { const ChangeQueue::Turn turn(queue, false); });
  while (queue.waiting() < 1) std::this_thread::yield();
  EXPECT_FALSE(queue.WaitForPressure(std::chrono::milliseconds(0)));
  std::thread pressing([&] { const ChangeQueue::Turn turn(queue, true); });
  EXPECT_TRUE(queue.WaitForPressure(std::chrono::hours(1)));
  queue.Leave();
  patient.join();
  pressing.join();
  EXPECT_FALSE(queue.WaitForPressure(std::chrono::milliseconds(0)));
}

}  // namespace
}  // namespace sluice::apply
