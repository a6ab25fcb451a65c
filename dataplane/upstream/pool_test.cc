#include "dataplane/upstream/pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::upstream {
namespace {

class PoolTest : public testing::Test {
 protected:
  ~PoolTest() override {
    for (const int peer : peers_) close(peer);
  }
  std::unique_ptr<Connection> Make() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    auto connection = std::make_unique<Connection>(reactor_, stats_);
    EXPECT_TRUE(connection->stream().socket().Open(reactor_, ends[0]));
    peers_.push_back(ends[1]);
    return connection;
  }
  // Lets the loop look at its sockets once.
  void Turn() {
    reactor_.Post([this] { reactor_.Post([this] { reactor_.StopOnce(); }); });
    reactor_.Run();
  }

  io::Reactor reactor_;
  observe::ClusterStats stats_;
  std::vector<int> peers_;
  Pool pool_;
  const PoolLimits limits_{.idle_timeout = io::Millis(0), .idle_max = 2, .requests_max = 0};
};

TEST_F(PoolTest, GivesTheNewestFirstAndKeepsNoMoreThanItMay) {
  Connection* first = nullptr;
  Connection* last = nullptr;
  for (int i = 0; i < 3; ++i) {
    auto connection = Make();
    (i == 0 ? first : last) = connection.get();
    pool_.Put(std::move(connection), limits_, io::Millis(0));
  }
  EXPECT_EQ(pool_.idle(), 2u);
  EXPECT_EQ(stats_.connections_idle.Get(), 2u);
  const auto taken = pool_.Take();
  EXPECT_EQ(taken.get(), last);
  EXPECT_NE(pool_.Take().get(), first);
  EXPECT_EQ(pool_.Take(), nullptr);
}

TEST_F(PoolTest, AConnectionThatThePeerClosedIsNotGivenOut) {
  pool_.Put(Make(), limits_, io::Millis(0));
  shutdown(peers_.back(), SHUT_WR);
  Turn();
  EXPECT_EQ(pool_.idle(), 0u);
  EXPECT_EQ(stats_.connections_active.Get(), 0u);
}

TEST_F(PoolTest, BytesThatNobodyAskedForEndAConnection) {
  pool_.Put(Make(), limits_, io::Millis(0));
  ASSERT_EQ(write(peers_.back(), "HTTP/1.1 200", 12), 12);
  Turn();
  EXPECT_EQ(pool_.Take(), nullptr);
}

// Then nobody knows yet whether more has come; it happens after every body that was spliced.
TEST_F(PoolTest, AConnectionWhoseLastReadWasFullIsKept) {
  auto connection = Make();
  ASSERT_EQ(write(peers_.back(), "whole", 5), 5);
  Turn();
  char bytes[5];
  ASSERT_EQ(connection->stream().Read(bytes, sizeof bytes), 5);
  ASSERT_TRUE(connection->stream().may_read());
  pool_.Put(std::move(connection), limits_, io::Millis(0));
  EXPECT_EQ(pool_.idle(), 1u);
}

TEST_F(PoolTest, ALimitOfRequestsEndsAConnection) {
  PoolLimits limits = limits_;
  limits.requests_max = 5;
  auto connection = Make();
  connection->requests = 5;
  pool_.Put(std::move(connection), limits, io::Millis(0));
  EXPECT_EQ(pool_.idle(), 0u);
}

TEST_F(PoolTest, PoolsOfOneKeyAreOneWhileSomebodyHoldsIt) {
  PoolSet set;
  auto pool = set.Get("a");
  EXPECT_EQ(set.Get("a"), pool);
  EXPECT_NE(set.Get("b"), pool);
  const std::weak_ptr<Pool> gone = pool;
  pool.reset();
  EXPECT_TRUE(gone.expired());
  set.Collect();
}

}  // namespace
}  // namespace sluice::upstream
