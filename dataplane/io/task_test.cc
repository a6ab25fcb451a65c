#include "dataplane/io/task.h"

#include <gtest/gtest.h>

#include <memory>

#include "dataplane/io/reactor.h"
#include "dataplane/io/wait.h"

namespace sluice::io {
namespace {

Task<int> Immediate(int value) { co_return value; }

Task<void> SumInto(int count, long* sum) {
  for (int i = 0; i < count; ++i) *sum += co_await Immediate(i);
}

Task<void> WaitFor(Signal& signal, bool* woken) {
  Wait wait;
  wait.On(signal);
  const Wake wake = co_await wait;
  *woken = wake == Wake::kSignal;
}

Task<void> Nested(Signal& signal, bool* woken, std::shared_ptr<int> held) {
  co_await WaitFor(signal, woken);
  *held = 1;
}

TEST(TaskTest, ChildrenThatDoNotSuspendNeverDeepenTheStack) {
  long sum = 0;
  Task<void> task = SumInto(1'000'000, &sum);
  task.Start();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(sum, 499'999'500'000);
}

TEST(TaskTest, ASignalWakesTheInnermostAndTheOuterGoesOn) {
  Signal signal;
  bool woken = false;
  auto held = std::make_shared<int>(0);
  Task<void> task = Nested(signal, &woken, held);
  task.Start();
  EXPECT_FALSE(task.done());
  signal.Fire();
  EXPECT_TRUE(task.done());
  EXPECT_TRUE(woken);
  EXPECT_EQ(*held, 1);
}

TEST(TaskTest, CancellingDestroysLocalsAndLetsGoOfSources) {
  Signal signal;
  bool woken = false;
  auto held = std::make_shared<int>(0);
  Task<void> task = Nested(signal, &woken, held);
  task.Start();
  EXPECT_EQ(held.use_count(), 2);
  task.Cancel();
  EXPECT_EQ(held.use_count(), 1);
  signal.Fire();  // Nobody is there.
  EXPECT_FALSE(woken);
}

TEST(TaskTest, AFireBeforeTheWaitIsRemembered) {
  Signal signal;
  signal.Fire();
  bool woken = false;
  Task<void> task = WaitFor(signal, &woken);
  task.Start();
  EXPECT_TRUE(woken);
}

}  // namespace
}  // namespace sluice::io
