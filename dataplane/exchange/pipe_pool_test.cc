#include "dataplane/exchange/pipe_pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace sluice::exchange {
namespace {

// What splice(2) moves counts like what is read.
TEST(PipeTest, FillKeepsToTheShareOfATurn) {
  io::Reactor reactor;
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  io::Socket source;
  ASSERT_TRUE(source.Open(reactor, ends[0]));
  source.OnEvents(EPOLLIN);
  Pipe pipe(PipePool::OfThread());
  ASSERT_TRUE(pipe.valid());
  const std::string block(16 * 1024, 'x');
  std::string taken(block.size(), '\0');
  io::Socket sink;
  int out[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, out), 0);
  ASSERT_TRUE(sink.Open(reactor, out[0]));
  size_t moved = 0;
  while (source.readable() && moved < 4 * io::Socket::kTurnBytes) {
    ASSERT_EQ(write(ends[1], block.data(), block.size()), static_cast<ssize_t>(block.size()));
    ASSERT_EQ(pipe.Fill(source, block.size()), static_cast<ssize_t>(block.size()));
    ASSERT_EQ(pipe.Drain(sink, block.size(), false), static_cast<ssize_t>(block.size()));
    ASSERT_EQ(read(out[1], taken.data(), taken.size()), static_cast<ssize_t>(taken.size()));
    moved += block.size();
  }
  EXPECT_EQ(moved, io::Socket::kTurnBytes);
  EXPECT_TRUE(source.paused());
  close(ends[1]);
  close(out[1]);
}

}  // namespace
}  // namespace sluice::exchange
