#include "dataplane/io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "dataplane/io/task.h"

namespace sluice::io {
namespace {

// One end in the reactor, the other plain. The loop runs until the test's task is over.
class SocketTest : public testing::Test {
 protected:
  SocketTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_TRUE(socket_.Open(reactor_, dup(ends[0])));
    close(ends[0]);
    fcntl_nonblock(socket_.fd());
    peer_ = ends[1];
  }
  ~SocketTest() override {
    if (peer_ >= 0) close(peer_);
  }
  static void fcntl_nonblock(int fd) {
    // The reactor's sockets are made non-blocking by accept4 and socket; here by hand.
    const int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  }
  void Run(Task<void> task) {
    task.Start();
    if (!task.done()) reactor_.Run();
    EXPECT_TRUE(task.done());
  }
  Task<void> ReadAll(std::string* into) {
    for (;;) {
      char bytes[8];
      const ssize_t read = socket_.readable() ? socket_.Read(bytes, sizeof bytes) : -EAGAIN;
      if (read > 0) {
        into->append(bytes, static_cast<size_t>(read));
        continue;
      }
      if (read != -EAGAIN) break;
      Wait wait;
      wait.Readable(socket_);
      co_await wait;
    }
    reactor_.Stop();
  }
  Task<void> WaitForClose(Wake* wake) {
    Wait wait;
    wait.PeerClosed(socket_.peer());
    *wake = co_await wait;
    reactor_.Stop();
  }
  Task<void> WaitWithTimeout(Wake* wake) {
    Timer timer;
    reactor_.timers().Arm(timer, Millis(20));
    Wait wait;
    wait.Readable(socket_).Until(timer);
    *wake = co_await wait;
    reactor_.Stop();
  }

  Reactor reactor_;
  Socket socket_;
  int peer_ = -1;
};

TEST_F(SocketTest, ReadsEverythingUpToTheEndOfStream) {
  const std::string sent(1000, 'x');
  ASSERT_EQ(write(peer_, sent.data(), sent.size()), 1000);
  close(std::exchange(peer_, -1));
  std::string received;
  Run(ReadAll(&received));
  EXPECT_EQ(received, sent);
}

TEST_F(SocketTest, ATimerEndsAWaitForAQuietPeer) {
  Wake wake = Wake::kReady;
  Run(WaitWithTimeout(&wake));
  EXPECT_EQ(wake, Wake::kTimeout);
}

// MSG_TRUNC discards on TCP only.
class TcpPairTest : public testing::Test {
 protected:
  TcpPairTest() {
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listening, generic, bytes), 0);
    EXPECT_EQ(listen(listening, 1), 0);
    EXPECT_EQ(getsockname(listening, generic, &bytes), 0);
    peer_ = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(peer_, generic, bytes), 0);
    EXPECT_TRUE(
        socket_.OpenAccepted(reactor_, accept4(listening, nullptr, nullptr, SOCK_NONBLOCK)));
    close(listening);
  }
  ~TcpPairTest() override { close(peer_); }

  Task<void> AwaitReadable() {
    Wait wait;
    wait.Readable(socket_);
    co_await wait;
    reactor_.Stop();
  }
  Task<void> AwaitWritable() {
    Wait wait;
    wait.Writable(socket_);
    co_await wait;
    reactor_.Stop();
  }
  Task<void> CountReads(size_t at_once, std::map<uint64_t, size_t>* by_turn) {
    std::string room(at_once, '\0');
    for (;;) {
      const ssize_t read = socket_.readable() ? socket_.Read(room.data(), room.size()) : -EAGAIN;
      if (read > 0) {
        (*by_turn)[reactor_.turn()] += static_cast<size_t>(read);
        continue;
      }
      if (read != -EAGAIN) break;
      Wait wait;
      wait.Readable(socket_);
      co_await wait;
    }
    reactor_.Stop();
  }
  void Run(Task<void> task) {
    task.Start();
    if (!task.done()) reactor_.Run();
    EXPECT_TRUE(task.done());
  }
  void Send(std::string_view bytes) {
    EXPECT_EQ(send(peer_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    Task<void> task = AwaitReadable();
    task.Start();
    if (!task.done()) reactor_.Run();
  }

  Reactor reactor_;
  Socket socket_;
  int peer_ = -1;
};

// What was accepted is not asked for writability until it is wanted.
TEST_F(TcpPairTest, AWriterThatMustWaitHearsOfRoom) {
  const std::string block(1 << 20, 'x');
  size_t sent = 0;
  ssize_t written = 0;
  while ((written = socket_.Write(block.data(), block.size())) > 0) {
    sent += static_cast<size_t>(written);
  }
  ASSERT_EQ(written, -EAGAIN);
  EXPECT_FALSE(socket_.writable());
  std::thread reader([this, sent] {
    std::string room(1 << 20, '\0');
    for (size_t received = 0; received < sent;) {
      const ssize_t read = recv(peer_, room.data(), room.size(), 0);
      ASSERT_GT(read, 0);
      received += static_cast<size_t>(read);
    }
  });
  Run(AwaitWritable());
  reader.join();
  EXPECT_TRUE(socket_.writable());
}

TEST_F(TcpPairTest, PeekLeavesWhatDiscardDrops) {
  char bytes[64];
  EXPECT_EQ(socket_.Peek(bytes, sizeof bytes), -EAGAIN);
  Send("head");
  EXPECT_EQ(socket_.Peek(bytes, sizeof bytes), 4);
  EXPECT_FALSE(socket_.readable());
  Send("er|rest");
  EXPECT_EQ(socket_.Peek(bytes, sizeof bytes), 11);
  socket_.Discard(7, 11);
  ASSERT_TRUE(socket_.readable());
  EXPECT_EQ(socket_.Read(bytes, sizeof bytes), 4);
  EXPECT_EQ(std::string_view(bytes, 4), "rest");
}

TEST_F(TcpPairTest, AfterDiscardItIsReadableIfBytesAreLeft) {
  char bytes[64];
  Send("GET");
  EXPECT_EQ(socket_.Peek(bytes, sizeof bytes), 3);
  socket_.Discard(0, 3);
  EXPECT_TRUE(socket_.readable());
  EXPECT_EQ(socket_.Peek(bytes, sizeof bytes), 3);
  socket_.Discard(3, 3);
  EXPECT_FALSE(socket_.readable());
}

// Whatever the kernel has, a turn of the loop ends: others are waiting.
TEST_F(TcpPairTest, ATurnReadsNoMoreThanItsShare) {
  constexpr size_t kBytes = 8 << 20;
  constexpr size_t kRead = 64 * 1024;
  std::thread writer([this] {
    const std::string block(1 << 20, 'x');
    for (size_t sent = 0; sent < kBytes; sent += block.size()) {
      ASSERT_EQ(send(peer_, block.data(), block.size(), 0), static_cast<ssize_t>(block.size()));
    }
    shutdown(peer_, SHUT_WR);
  });
  std::map<uint64_t, size_t> by_turn;
  Run(CountReads(kRead, &by_turn));
  writer.join();
  size_t sum = 0;
  for (const auto& [turn, bytes] : by_turn) {
    EXPECT_LT(bytes, Socket::kTurnBytes + kRead) << "in turn " << turn;
    sum += bytes;
  }
  EXPECT_EQ(sum, kBytes);
}

TEST_F(TcpPairTest, APausedSocketComesBackInTheNextTurn) {
  Send("abc");
  socket_.Pause();
  EXPECT_FALSE(socket_.readable());
  const uint64_t before = reactor_.turn();
  Run(AwaitReadable());
  EXPECT_TRUE(socket_.readable());
  EXPECT_EQ(reactor_.turn(), before + 1);
}

TEST_F(TcpPairTest, APauseCanBeEndedAtOnce) {
  Send("abc");
  socket_.Pause();
  socket_.Unpause();
  EXPECT_TRUE(socket_.readable());
  char bytes[4];
  EXPECT_EQ(socket_.Read(bytes, sizeof bytes), 3);
}

// Nothing may come for a socket that has been closed meanwhile.
TEST_F(TcpPairTest, APausedSocketMayClose) {
  socket_.Pause();
  socket_.Close();
  reactor_.Post([this] { reactor_.Stop(); });
  reactor_.Run();
  EXPECT_FALSE(socket_.readable());
}

TEST_F(SocketTest, AHalfCloseWakesWhoWatchesForIt) {
  shutdown(peer_, SHUT_WR);
  Wake wake = Wake::kReady;
  Run(WaitForClose(&wake));
  EXPECT_EQ(wake, Wake::kPeerClosed);
  EXPECT_FALSE(socket_.peer().gone());
}

TEST_F(SocketTest, AFullCloseIsAHangup) {
  close(std::exchange(peer_, -1));
  Wake wake = Wake::kReady;
  Run(WaitForClose(&wake));
  EXPECT_EQ(wake, Wake::kHangup);
}

TEST_F(SocketTest, WritingIntoAFullPipeAsksToWait) {
  const std::string block(1 << 16, 'x');
  ssize_t written = 0;
  while (written >= 0) written = socket_.Write(block.data(), block.size());
  EXPECT_EQ(written, -EAGAIN);
  EXPECT_FALSE(socket_.writable());
}

TEST_F(SocketTest, ClosingInsideAWakeupDoesNotDisturbTheLoop) {
  struct Context {
    Socket* socket;
    Reactor* reactor;
  } context{&socket_, &reactor_};
  socket_.set_idle_callback(
      [](void* argument) {
        auto* self = static_cast<Context*>(argument);
        self->socket->Close();
        self->reactor->Stop();
      },
      &context);
  ASSERT_EQ(write(peer_, "x", 1), 1);
  reactor_.Run();
  EXPECT_FALSE(socket_.open());
}

TEST(ReactorTest, PostRunsOnTheLoopAndDeferredRunsBeforeItWaits) {
  Reactor reactor;
  int order = 0;
  int posted_at = 0;
  static int deferred_at;
  deferred_at = 0;
  reactor.Post([&] {
    posted_at = ++order;
    reactor.Defer([](void* counter) { deferred_at = ++*static_cast<int*>(counter); }, &order);
    reactor.Post([&] { reactor.Stop(); });
  });
  reactor.Run();
  EXPECT_EQ(posted_at, 1);
  EXPECT_EQ(deferred_at, 2);
}

TEST(ReactorTest, UndeferTakesBack) {
  Reactor reactor;
  static bool ran;
  ran = false;
  int token;
  reactor.Defer([](void*) { ran = true; }, &token);
  reactor.Undefer(&token);
  reactor.Stop();
  reactor.Run();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace sluice::io
