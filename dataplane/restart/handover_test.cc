// Two ends of a handover in one process, and peers that do not keep to the protocol.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "dataplane/restart/predecessor.h"
#include "dataplane/restart/successor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sluice::restart {
namespace {

using ::testing::HasSubstr;

class FakeHost final : public HandoverHost {
 public:
  absl::StatusOr<Handover> BeginHandover() override {
    ++begun;
    if (!refusal.ok()) return refusal;
    Handover handover;
    handover.node_id = "a";
    handover.version.set_root("root");
    handover.state_lock = Null();
    for (int i = 0; i < sockets; ++i) {
      handover.sockets.push_back(
          {v1::HandoverSocket::KIND_TRAFFIC, "127.0.0.1:" + std::to_string(1000 + i), Null()});
    }
    handover.healths = healths;
    return handover;
  }
  absl::Status CheckHandover(const std::string& root) override {
    checked = root;
    return check;
  }
  void AbortHandover() override { ++aborted; }
  std::vector<v1::HandoverHealth> Healths() override { return healths; }
  void CompleteHandover(HandoverChannel channel) override {
    ++completed;
    drain = std::make_unique<HandoverChannel>(std::move(channel));
  }

  static base::UniqueFd Null() { return base::UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  int sockets = 3;
  absl::Status refusal, check;
  std::string checked;
  int begun = 0, aborted = 0, completed = 0;
  std::vector<v1::HandoverHealth> healths;
  std::unique_ptr<HandoverChannel> drain;
};

class HandoverTest : public ::testing::Test {
 protected:
  HandoverTest() {
    std::string path = ::testing::TempDir() + "/handoverXXXXXX";
    directory_ = mkdtemp(path.data());
    // Longer than a socket's address may be.
    directory_ += "/" + std::string(120, 'd');
    std::filesystem::create_directory(directory_);
    predecessor_ = *Predecessor::Open(context_, directory_, host_);
  }
  ~HandoverTest() override {
    predecessor_.reset();
    std::filesystem::remove_all(std::filesystem::path(directory_).parent_path());
  }

  // Ask blocks: it needs the predecessor's loop to run beside it.
  absl::StatusOr<std::unique_ptr<Successor>> Ask(const std::string& node_id = "a") {
    absl::StatusOr<std::unique_ptr<Successor>> asked = absl::UnknownError("not asked");
    std::atomic<bool> done = false;
    std::thread asking([&] {
      asked = Successor::Ask(successors_, directory_, node_id);
      done = true;
    });
    RunUntil([&] { return done.load(); });
    asking.join();
    return asked;
  }
  // What the predecessor answers to "ready".
  absl::Status Ready(Successor& successor) {
    std::optional<absl::Status> done;
    successor.Ready([&](const absl::Status& status) { done = status; });
    RunUntil([&] { return done.has_value(); });
    return *done;
  }
  template <typename Condition>
  void RunUntil(Condition condition) {
    while (!condition()) {
      context_.restart();
      context_.poll();
      successors_.restart();
      successors_.poll();
      std::this_thread::yield();
    }
  }

  HandoverChannel Connect() {
    base::UniqueFd directory;
    const std::string path = *ShortPath(directory_, kHandoverSocketName, &directory);
    base::UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return HandoverChannel(std::move(fd));
  }
  // What the predecessor says to raw bytes.
  absl::Status AnswerTo(const std::string& bytes) {
    HandoverChannel channel = Connect();
    EXPECT_EQ(send(channel.fd(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    absl::StatusOr<ReceivedMessage> answer = absl::UnknownError("none");
    std::atomic<bool> done = false;
    std::thread reading([&] {
      answer = channel.Receive(true);
      done = true;
    });
    RunUntil([&] { return done.load(); });
    reading.join();
    return answer.status();
  }

  std::string directory_;
  boost::asio::io_context context_, successors_;
  FakeHost host_;
  std::unique_ptr<Predecessor> predecessor_;
};

TEST_F(HandoverTest, EverythingIsHandedOverThenTheOldOneLetsGo) {
  host_.sockets = 250;  // More than a message holds.
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  const Handover& handover = (*successor)->handover();
  EXPECT_EQ(handover.version.root(), "root");
  EXPECT_TRUE(handover.state_lock.valid());
  ASSERT_EQ(handover.sockets.size(), 250u);
  EXPECT_EQ(handover.sockets[249].address, "127.0.0.1:1249");
  EXPECT_NE(fcntl(handover.sockets[249].fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(host_.completed, 0);

  std::optional<absl::Status> done;
  (*successor)->Ready([&](const absl::Status& status) { done = status; });
  RunUntil([&] { return done.has_value(); });
  EXPECT_TRUE(done->ok()) << *done;
  EXPECT_EQ(host_.checked, "root");
  EXPECT_EQ(host_.completed, 1);
  EXPECT_EQ(host_.aborted, 0);
  // It takes nobody else: the next one is its successor's business.
  EXPECT_TRUE(absl::IsNotFound(Ask().status()));
}

TEST_F(HandoverTest, HealthsAreHandedOverWholeAndEjectionsOnceMore) {
  for (int i = 0; i < 3000; ++i) {  // More than a message holds.
    v1::HandoverHealth& health = host_.healths.emplace_back();
    health.set_key("endpoint " + std::to_string(i));
    health.set_reason(std::string(100, 'r'));
  }
  host_.healths[0].set_reason(std::string(100'000, 'x'));  // Alone it would fit into none.
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  std::vector<v1::HandoverHealth>& handed = (*successor)->handover().healths;
  ASSERT_EQ(handed.size(), 3000u);
  EXPECT_EQ(handed[0].reason(), "");
  EXPECT_EQ(handed[2999].key(), "endpoint 2999");
  EXPECT_EQ(handed[2999].reason(), std::string(100, 'r'));
  // While the new one makes itself ready.
  host_.healths[17].set_ejected_until_unix_ms(12345);
  EXPECT_TRUE(Ready(**successor).ok());
  ASSERT_EQ(handed.size(), 1u);
  EXPECT_EQ(handed[0].key(), "endpoint 17");
  EXPECT_EQ(handed[0].ejected_until_unix_ms(), 12345);
}

TEST_F(HandoverTest, AfterwardsTheChannelIsTheDrainsOwn) {
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  ASSERT_TRUE(Ready(**successor).ok());
  HandoverChannel channel = (*successor)->TakeChannel();
  v1::HandoverMessage message;
  message.mutable_figures()->set_requests(7);
  ASSERT_TRUE(host_.drain->Send(message).ok());
  const auto received = channel.Receive(true);
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_EQ(received->message.figures().requests(), 7u);
}

// Its nodes are being checked, say: nothing is called off as long as it is within the time.
TEST_F(HandoverTest, ASuccessorThatTakesItsTimeIsWaitedFor) {
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  bool early = false;
  (*successor)->OnEarlyWord([&] { early = true; });
  for (int i = 0; i < 1000; ++i) {
    context_.restart();
    context_.poll();
    successors_.restart();
    successors_.poll();
  }
  EXPECT_FALSE(early);
  EXPECT_EQ(host_.aborted, 0);
  EXPECT_TRUE(Ready(**successor).ok());
  EXPECT_EQ(host_.completed, 1);
}

TEST_F(HandoverTest, ASuccessorThatTakesTooLongIsRefusedAndHearsItAtOnce) {
  predecessor_.reset();
  predecessor_ = *Predecessor::Open(context_, directory_, host_, std::chrono::milliseconds(50));
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  bool early = false;
  (*successor)->OnEarlyWord([&] { early = true; });
  RunUntil([&] { return early; });
  EXPECT_EQ(host_.aborted, 1);
  EXPECT_THAT(std::string(Ready(**successor).message()), HasSubstr("was not ready within 0.05 s"));
  EXPECT_EQ(host_.completed, 0);
}

TEST_F(HandoverTest, ASuccessorThatWarmsUpHearsThatThePredecessorEnds) {
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  bool early = false;
  (*successor)->OnEarlyWord([&] { early = true; });
  predecessor_->Close("the running proxy is ending");
  RunUntil([&] { return early; });
  EXPECT_THAT(std::string(Ready(**successor).message()), HasSubstr("is ending"));
}

TEST_F(HandoverTest, ASuccessorThatGoesAwayChangesNothing) {
  {
    auto successor = Ask();
    ASSERT_TRUE(successor.ok()) << successor.status();
  }
  RunUntil([&] { return host_.aborted == 1; });
  EXPECT_EQ(host_.completed, 0);
  EXPECT_TRUE(Ask().ok());
}

TEST_F(HandoverTest, RefusalsReachTheSuccessor) {
  host_.refusal = absl::FailedPreconditionError("undrain it first");
  EXPECT_THAT(std::string(Ask().status().message()), HasSubstr("undrain it first"));
  EXPECT_EQ(host_.aborted, 0);  // Nothing had begun.

  host_.refusal = absl::OkStatus();
  host_.check = absl::FailedPreconditionError("different versions");
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  std::optional<absl::Status> done;
  (*successor)->Ready([&](const absl::Status& status) { done = status; });
  RunUntil([&] { return done.has_value(); });
  EXPECT_THAT(std::string(done->message()), HasSubstr("different versions"));
  EXPECT_EQ(host_.aborted, 1);
  EXPECT_EQ(host_.completed, 0);
}

TEST_F(HandoverTest, AnEndingPredecessorSaysSo) {
  auto successor = Ask();
  ASSERT_TRUE(successor.ok()) << successor.status();
  std::optional<absl::Status> done;
  (*successor)->Ready([&](const absl::Status& status) { done = status; });
  predecessor_->Close("the running proxy is ending");  // Before it has read "ready".
  RunUntil([&] { return done.has_value(); });
  EXPECT_THAT(std::string(done->message()), HasSubstr("is ending"));
  EXPECT_EQ(host_.completed, 0);
}

// It closes without a word: only a process that has ended does so, and somebody has to serve.
TEST_F(HandoverTest, APredecessorThatVanishesLeavesEverythingToTheSuccessor) {
  predecessor_.reset();
  const std::string path = directory_ + "/" + std::string(kHandoverSocketName);
  std::filesystem::remove(path);
  base::UniqueFd handle;
  const std::string name = *ShortPath(directory_, kHandoverSocketName, &handle);
  const base::UniqueFd listening(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listening.get(), 1), 0);
  std::thread vanishing([&] {
    HandoverChannel channel(base::UniqueFd(accept(listening.get(), nullptr, nullptr)));
    EXPECT_TRUE(channel.Receive(true).ok());
    v1::HandoverMessage offer;
    offer.mutable_offer()->set_node_id("a");
    const base::UniqueFd lock = FakeHost::Null();
    EXPECT_TRUE(channel.Send(offer, {lock.get()}).ok());
  });
  auto successor = Successor::Ask(successors_, directory_, "a");
  vanishing.join();
  ASSERT_TRUE(successor.ok()) << successor.status();
  std::optional<absl::Status> done;
  (*successor)->Ready([&](const absl::Status& status) { done = status; });
  RunUntil([&] { return done.has_value(); });
  EXPECT_TRUE(done->ok()) << *done;
}

TEST_F(HandoverTest, MessagesHaveAGreatestSize) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  HandoverChannel left{base::UniqueFd(ends[0])}, right{base::UniqueFd(ends[1])};
  const base::UniqueFd fd = FakeHost::Null();
  v1::HandoverMessage message;
  message.mutable_go();
  EXPECT_TRUE(absl::IsResourceExhausted(left.Send(message, std::vector<int>(101, fd.get()))));
  message.mutable_refusal()->set_reason(std::string(70'000, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(left.Send(message)));
  ASSERT_TRUE(left.SendRefusal(std::string(70'000, 'x')).ok());  // Cut, so that it arrives.
  EXPECT_TRUE(absl::IsAborted(right.Receive(true).status()));
}

TEST_F(HandoverTest, OneAtATime) {
  auto first = Ask();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(std::string(Ask().status().message()), HasSubstr("taking over already"));
  EXPECT_EQ(host_.aborted, 0);
}

TEST_F(HandoverTest, AnotherNodeIsNotTakenOver) {
  EXPECT_THAT(std::string(Ask("b").status().message()), HasSubstr("give --node-id a"));
  RunUntil([&] { return host_.aborted == 1; });
}

TEST_F(HandoverTest, MessagesThatAreNoneAreRefused) {
  v1::HandoverMessage message;
  message.set_protocol_version(kHandoverProtocol);
  message.mutable_ready()->set_root("root");  // Before any request.
  for (const std::string& bytes : {std::string("not a message"), std::string(1, '\0'),
                                   std::string(100'000, '\xff'), message.SerializeAsString()}) {
    EXPECT_TRUE(absl::IsAborted(AnswerTo(bytes))) << bytes.size();
  }
  EXPECT_EQ(host_.begun, 0);
  EXPECT_EQ(host_.completed, 0);
}

TEST_F(HandoverTest, AnotherProtocolIsRefusedWithTheRemedy) {
  v1::HandoverMessage message;
  message.set_protocol_version(kHandoverProtocol + 1);
  message.mutable_request();
  const absl::Status status = AnswerTo(message.SerializeAsString());
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("without --hot-restart"));
  EXPECT_EQ(host_.begun, 0);
}

TEST_F(HandoverTest, NobodyElseMayOpenTheSocket) {
  struct stat status;
  ASSERT_EQ(stat((directory_ + "/handover.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(HandoverTest, WithoutAPredecessorNothingIsFound) {
  predecessor_.reset();
  EXPECT_TRUE(absl::IsNotFound(Successor::Ask(successors_, directory_, "a").status()));
  std::filesystem::remove(directory_ + "/handover.sock");
  EXPECT_TRUE(absl::IsNotFound(Successor::Ask(successors_, directory_, "a").status()));
}

}  // namespace
}  // namespace sluice::restart
