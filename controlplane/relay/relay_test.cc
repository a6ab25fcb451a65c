#include "controlplane/relay/relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "controlplane/relay/forwarded.h"
#include "sluice/v1/control_service.grpc.pb.h"

namespace sluice::relay {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;

// Answers each Hello with a Welcome that names the node, until the caller has said all; then with
// a status of its own.
class Leader final : public v1::ControlService::Service {
 public:
  grpc::Status Connect(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ControllerMessage, v1::ProxyMessage>* stream) override {
    for (const auto& [key, value] : context->client_metadata()) {
      metadata.emplace(std::string(key.data(), key.size()),
                       std::string(value.data(), value.size()));
    }
    v1::ProxyMessage message;
    while (stream->Read(&message)) {
      if (message.hello().node_id() == "wait") {
        while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        cancelled = true;
        return grpc::Status::CANCELLED;
      }
      v1::ControllerMessage answer;
      answer.mutable_welcome()->set_controller_version(message.hello().node_id());
      if (!stream->Write(answer)) break;
    }
    if (context->IsCancelled()) cancelled = true;
    context->AddTrailingMetadata("answered-by", "the leader");
    return grpc::Status(grpc::StatusCode::ABORTED, "the leader's own words");
  }

  std::multimap<std::string, std::string> metadata;
  std::atomic<bool> cancelled{false};
};

class RelayTest : public ::testing::Test {
 protected:
  RelayTest() {
    grpc::ServerBuilder leader;
    int leader_port = 0;
    leader.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &leader_port);
    leader.RegisterService(&leader_);
    leader_server_ = leader.BuildAndStart();
    to_leader_ = ChannelTo(leader_port);
    grpc::ServerBuilder relay;
    int port = 0;
    relay.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    relay.RegisterCallbackGenericService(&relay_);
    relay_server_ = relay.BuildAndStart();
    stub_ = v1::ControlService::NewStub(ChannelTo(port));
  }
  ~RelayTest() override {
    const auto soon = std::chrono::system_clock::now() + std::chrono::milliseconds(100);
    relay_server_->Shutdown(soon);
    leader_server_->Shutdown(soon);
  }

  static std::shared_ptr<grpc::Channel> ChannelTo(int port) {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                               grpc::InsecureChannelCredentials());
  }
  static v1::ProxyMessage HelloOf(const std::string& node) {
    v1::ProxyMessage message;
    message.mutable_hello()->set_node_id(node);
    return message;
  }

  Leader leader_;
  Relay relay_;
  std::unique_ptr<grpc::Server> leader_server_, relay_server_;
  std::shared_ptr<grpc::Channel> to_leader_;
  std::unique_ptr<v1::ControlService::Stub> stub_;
};

TEST_F(RelayTest, MessagesGoBothWaysAndTheStatusComesBack) {
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  const std::string large(3 << 20, 'x');
  for (const std::string& node : {std::string("a"), std::string("b"), large}) {
    ASSERT_TRUE(stream->Write(HelloOf(node)));
    v1::ControllerMessage answer;
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.welcome().controller_version(), node);
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "the leader's own words");
  EXPECT_THAT(context.GetServerTrailingMetadata(), Contains(Key("answered-by")));
}

TEST_F(RelayTest, ManyMessagesKeepTheirOrder) {
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  constexpr int kMessages = 2000;
  std::thread writer([&stream] {
    for (int i = 0; i < kMessages; ++i) stream->Write(HelloOf(std::to_string(i)));
    stream->WritesDone();
  });
  v1::ControllerMessage answer;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(stream->Read(&answer));
    ASSERT_EQ(answer.welcome().controller_version(), std::to_string(i));
  }
  writer.join();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(RelayTest, WhatWasPassedOnOnceIsNotPassedOnAgain) {
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  context.AddMetadata(kPeerKey, "ipv4:6.6.6.6:6");
  const auto stream = stub_->Connect(&context);
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("does not lead"));
  EXPECT_THAT(leader_.metadata, IsEmpty());
}

TEST_F(RelayTest, TheLeaderIsToldWhoCallsAndNobodyCanSayItForHim) {
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer secret");
  context.AddMetadata(kCertificateKey, "forged");
  const auto stream = stub_->Connect(&context);
  stream->WritesDone();
  (void)stream->Finish();
  EXPECT_EQ(leader_.metadata.find("authorization")->second, "Bearer secret");
  EXPECT_EQ(leader_.metadata.count(kPeerKey), 1u);
  EXPECT_THAT(leader_.metadata.find(kPeerKey)->second, HasSubstr("127.0.0.1:"));
  EXPECT_THAT(leader_.metadata, Not(Contains(Key(kCertificateKey))));
}

TEST_F(RelayTest, ACallerThatLeavesIsGoneForTheLeaderToo) {
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  ASSERT_TRUE(stream->Write(HelloOf("first")));
  v1::ControllerMessage answer;
  ASSERT_TRUE(stream->Read(&answer));  // It has arrived.
  ASSERT_TRUE(stream->Write(HelloOf("wait")));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (!leader_.cancelled) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_F(RelayTest, CallsWaitUntilSomebodyLeads) {
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  ASSERT_TRUE(stream->Write(HelloOf("early")));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  relay_.Tick();
  relay_.SetLeader(to_leader_);
  v1::ControllerMessage answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.welcome().controller_version(), "early");
}

TEST_F(RelayTest, WhenAnotherOneLeadsCallsEnd) {
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  v1::ControllerMessage answer;
  ASSERT_TRUE(stream->Write(HelloOf("early")));
  ASSERT_TRUE(stream->Read(&answer));
  relay_.SetLeader(ChannelTo(1));
  EXPECT_FALSE(stream->Read(&answer));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("another controller takes the lead"));
}

TEST_F(RelayTest, ACallerThatLeavesWhileNobodyLeadsIsForgotten) {
  {
    grpc::ClientContext context;
    const auto stream = stub_->Connect(&context);
    stream->Write(HelloOf("early"));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  relay_.SetLeader(to_leader_);
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(RelayTest, ALeaderThatCannotBeReachedIsSaid) {
  relay_.SetLeader(ChannelTo(1));
  grpc::ClientContext context;
  const auto stream = stub_->Connect(&context);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace sluice::relay
