#include "controlplane/apply/change_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::apply {
namespace {

TEST(ChangeQueueTest, OnlyOneIsInsideAndOnlySomeWait) {
  ChangeQueue queue(2);
  ASSERT_TRUE(queue.Enter());
  std::atomic<int> inside{0}, entered{0};
  std::vector<std::thread> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.emplace_back([&] {
      const ChangeQueue::Turn turn(queue);
      entered += turn.entered();
      EXPECT_EQ(++inside, 1);
      --inside;
    });
  }
  while (queue.waiting() < 2) std::this_thread::yield();
  EXPECT_FALSE(queue.Enter());
  EXPECT_EQ(entered, 0);
  queue.Leave();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(entered, 2);
  EXPECT_TRUE(queue.Enter());
  queue.Leave();
}

}  // namespace
}  // namespace sluice::apply
