#include "controlplane/publish/control_service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include "controlplane/publish/testing_node.h"
#include "controlplane/publish/testing_resources.h"
#include "controlplane/store/testing_folder.h"

namespace sluice::publish {
namespace {

using ::testing::HasSubstr;
using testing::kDeadline;
using testing::RequestOf;
using testing::ResourcesOf;
using testing::TestNode;
using testing::VersionOf;
using Message = v1::ControllerMessage;

class ControlServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = store::VersionStore::Open(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    hub_ = std::make_unique<Hub>(
        FleetOptions{.prepare_timeout_ms = 30'000, .report_interval_ms = 60'000}, *store_);
    service_ = std::make_unique<ControlService>(*hub_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    builder.SetMaxReceiveMessageSize(64 << 20);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  void TearDown() override {
    hub_->Shutdown(1000);
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
  }
  std::unique_ptr<TestNode> Connect(TestNode::Options options) {
    return std::make_unique<TestNode>(NewChannel(), std::move(options));
  }
  bool WaitUntil(const std::function<bool()>& done) const {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    for (uint64_t seen = 0; !done();) {
      if (std::chrono::steady_clock::now() > end) return false;
      seen = hub_->Wait(seen, std::chrono::seconds(1));
    }
    return true;
  }
  v1::NodeStatus::State StateOf(const std::string& id) const {
    const v1::FleetStatus status = hub_->Status(id);
    return status.nodes_size() == 0 ? v1::NodeStatus::UNKNOWN : status.nodes(0).state();
  }
  bool WaitForState(const std::string& id, v1::NodeStatus::State state) const {
    return WaitUntil([&] { return StateOf(id) == state; });
  }
  void RollOut(const RolloutRequest& request) {
    hub_->StartRollout(request);
    ASSERT_TRUE(hub_->WaitPrepared(kDeadline));
    ASSERT_TRUE(hub_->Release());
    ASSERT_TRUE(hub_->WaitSettled(kDeadline));
  }

  store::testing::Folder folder_;
  std::unique_ptr<store::VersionStore> store_;
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<ControlService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(ControlServiceTest, AVersionReachesEveryNode) {
  std::vector<std::unique_ptr<TestNode>> nodes;
  for (int i = 0; i < 8; ++i) nodes.push_back(Connect({.id = "n" + std::to_string(i)}));
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(WaitForState("n" + std::to_string(i), v1::NodeStatus::SYNCED));
  }
  for (uint64_t revision = 1; revision <= 5; ++revision) {
    const RolloutRequest request = RequestOf(revision, "word" + std::to_string(revision));
    RollOut(request);
    for (const auto& node : nodes) EXPECT_EQ(node->version().root(), request.version.root());
  }
  EXPECT_EQ(hub_->counters().deltas_encoded_total, 5u) << "encoded once for all";
  uint64_t rollouts = 0;
  for (const uint64_t count : hub_->counters().rollouts.counts) rollouts += count;
  EXPECT_EQ(rollouts, 5u);
}

TEST_F(ControlServiceTest, LargeSnapshotsArriveWhole) {
  const auto node = Connect({});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  RolloutRequest request;
  request.resources = ResourcesOf(std::string(20 << 20, 'x'));
  request.version = VersionOf(1, *request.resources);
  RollOut(request);
  EXPECT_EQ(node->version().root(), request.version.root());
  EXPECT_GT(node->Count(Message::kChunk), 70);
}

TEST_F(ControlServiceTest, AnUnchangedReconnectTransfersNothing) {
  auto node = Connect({});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  RollOut(RequestOf(1, "a"));
  const v1::Version current = node->version();
  node.reset();
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::UNREACHABLE));
  const uint64_t before = hub_->counters().snapshot_bytes_total;
  node = Connect({.current = current});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  EXPECT_TRUE(node->WaitForA(Message::kWelcome));
  EXPECT_EQ(node->Count(Message::kOffer), 0);
  EXPECT_EQ(hub_->counters().snapshot_bytes_total, before);
  EXPECT_EQ(hub_->Status("n1").nodes(0).snapshot_bytes_sent(), 0u);
}

TEST_F(ControlServiceTest, ANodeThatDoesNotReadBlocksNobody) {
  const auto reader = Connect({.id = "reader"});
  const auto deaf = Connect({.id = "deaf", .reads = false});
  ASSERT_TRUE(WaitForState("reader", v1::NodeStatus::SYNCED));
  ASSERT_TRUE(WaitForState("deaf", v1::NodeStatus::SYNCED));
  // Commands pile up until the queue ends the stream.
  v1::Command command;
  command.mutable_set_log_level()->set_level(std::string(16 << 10, 'x'));
  for (int i = 0; i < 100'000 && StateOf("deaf") != v1::NodeStatus::UNREACHABLE; ++i) {
    (void)hub_->Command("deaf", command, std::chrono::milliseconds(0)).ok();
  }
  ASSERT_TRUE(WaitForState("deaf", v1::NodeStatus::UNREACHABLE));
  EXPECT_THAT(hub_->Status("deaf").nodes(0).reason(), HasSubstr("does not read"));
  RollOut(RequestOf(1, "a"));
  EXPECT_EQ(reader->version().revision(), 1u);
}

TEST_F(ControlServiceTest, TheOlderOfTwoProcessesIsToldWhy) {
  const auto older = Connect({.boot = "old"});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  const auto newer = Connect({.boot = "new"});
  const grpc::Status end = older->WaitForEnd();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(end.error_message(), HasSubstr("n1"));
  const auto again = Connect({.boot = "old"});
  EXPECT_THAT(again->WaitForEnd().error_message(), HasSubstr("--node-id"));
  EXPECT_EQ(StateOf("n1"), v1::NodeStatus::SYNCED);
  EXPECT_THAT(hub_->Status("n1").nodes(0).reason(), HasSubstr("keeps connecting"));
}

TEST_F(ControlServiceTest, AStreamMustBeginWithAProperHello) {
  const auto stub = v1::ControlService::NewStub(NewChannel());
  for (const bool with_hello : {false, true}) {
    grpc::ClientContext context;
    const auto stream = stub->Connect(&context);
    v1::ProxyMessage message;
    if (with_hello) {
      message.mutable_hello()->set_node_id("with space");
    } else {
      message.mutable_prepared();
    }
    stream->Write(message);
    v1::ControllerMessage answer;
    EXPECT_FALSE(stream->Read(&answer));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_EQ(hub_->Status("").nodes_size(), 0);
}

TEST_F(ControlServiceTest, ASecondHelloEndsTheStream) {
  const auto node = Connect({});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  v1::ProxyMessage hello;
  hello.mutable_hello()->set_node_id("n2");
  node->Send(hello);
  EXPECT_EQ(node->WaitForEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(StateOf("n2"), v1::NodeStatus::UNKNOWN);
  EXPECT_TRUE(WaitForState("n1", v1::NodeStatus::UNREACHABLE));
}

TEST_F(ControlServiceTest, AMessageThatIsTooLargeEndsTheStream) {
  const auto node = Connect({});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  v1::ProxyMessage message;
  message.mutable_report()->add_last_errors(std::string(5 << 20, 'x'));
  node->Send(message);
  EXPECT_EQ(node->WaitForEnd().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ControlServiceTest, BytesThatAreNoMessageEndTheStream) {
  grpc::ClientContext context;
  grpc::GenericStub stub(NewChannel());
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, "/sluice.v1.ControlService/Connect", &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] { return queue.Next(&tag, &ok) && ok; };
  stream->StartCall(nullptr);
  ASSERT_TRUE(next());
  grpc::Slice slice("\xff\xff\xff\xff");
  stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(next());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  next();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ControlServiceTest, CommandsAreAnswered) {
  const auto node = Connect({});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  v1::Command drain, dump;
  drain.mutable_drain();
  dump.mutable_dump();
  const auto answer = hub_->Command("n1", drain, kDeadline);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "{\"answer\": 42}");
  EXPECT_THAT(std::string(hub_->Command("n1", dump, kDeadline).status().message()),
              HasSubstr("no dump here"));
  EXPECT_TRUE(absl::IsNotFound(hub_->Command("n2", drain, kDeadline).status()));
}

TEST_F(ControlServiceTest, ACommandToANodeThatGoesEndsAtOnce) {
  const auto node = Connect({.automatic = false});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  std::thread leaving([&] {
    node->WaitForA(Message::kCommand);
    node->Leave();
  });
  v1::Command drain;
  drain.mutable_drain();
  const absl::Status status = hub_->Command("n1", drain, kDeadline).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  leaving.join();
}

TEST_F(ControlServiceTest, AtTheEndNodesAreToldToComeBackLater) {
  const auto node = Connect({});
  ASSERT_TRUE(WaitForState("n1", v1::NodeStatus::SYNCED));
  hub_->Shutdown(1234);
  EXPECT_EQ(node->WaitForEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
  ASSERT_EQ(node->Count(Message::kBackoff), 1);
  EXPECT_EQ(node->messages().back().backoff().retry_after_ms(), 1234u);
  EXPECT_EQ(Connect({.id = "late"})->WaitForEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ControlServiceTest, NodesAreRememberedByTheStore) {
  auto node = Connect({.id = "gone"});  // Gone before its Hello is read, it would be nobody.
  ASSERT_TRUE(WaitUntil([&] { return store_->Nodes()->size() == 1; }));
  node.reset();
  EXPECT_EQ(store_->Nodes()->front().node_id, "gone");
  Hub another({}, *store_);
  ASSERT_EQ(another.Status("").nodes_size(), 1);
  EXPECT_EQ(another.Status("").nodes(0).state(), v1::NodeStatus::UNREACHABLE);
  EXPECT_THAT(another.Status("").nodes(0).reason(), HasSubstr("not seen since"));
}

TEST_F(ControlServiceTest, ManyNodesComeAndGoDuringRollouts) {
  std::vector<std::unique_ptr<TestNode>> nodes(12);
  for (uint64_t revision = 1; revision <= 12; ++revision) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      if ((i + revision) % 3 != 0 && nodes[i] != nullptr) continue;
      nodes[i] = Connect({.id = "n" + std::to_string(i), .boot = std::to_string(revision)});
    }
    RollOut(RequestOf(revision, "word" + std::to_string(revision)));
  }
  const std::string root = RequestOf(12, "word12").version.root();
  for (const auto& node : nodes) EXPECT_TRUE(node->WaitForRoot(root));
}

}  // namespace
}  // namespace sluice::publish
