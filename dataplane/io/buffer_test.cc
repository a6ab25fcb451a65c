#include "dataplane/io/buffer.h"

#include <gtest/gtest.h>

namespace sluice::io {
namespace {

TEST(BufferTest, KeepsContentWhenItGrows) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.Reserve(100);
  std::memcpy(buffer.tail(), "hello", 5);
  buffer.Filled(5);
  buffer.Reserve(BufferPool::kSmallBytes + 1);
  EXPECT_EQ(buffer.view(), "hello");
  buffer.Reserve(10 * BufferPool::kLargeBytes);
  EXPECT_EQ(buffer.view(), "hello");
}

TEST(BufferTest, ConsumingAllRewindsAndCompactingKeepsTheRest) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.Reserve(10);
  const size_t capacity = buffer.capacity();
  buffer.Filled(capacity);
  std::memcpy(buffer.data() + capacity - 3, "end", 3);
  buffer.Consume(capacity - 3);
  EXPECT_EQ(buffer.room(), 0u);
  buffer.tail(16);
  EXPECT_EQ(buffer.view(), "end");
  EXPECT_EQ(buffer.room(), capacity - 3);
  buffer.Consume(3);
  EXPECT_EQ(buffer.room(), capacity);
}

TEST(BufferTest, BlocksComeBackFromThePool) {
  BufferPool pool;
  Buffer first(pool);
  first.Reserve(1);
  const char* block = first.data();
  first.Release();
  Buffer second(pool);
  second.Reserve(1);
  EXPECT_EQ(second.data(), block);
}

}  // namespace
}  // namespace sluice::io
