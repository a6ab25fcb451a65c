// A node on a real gRPC stream, in the test's own process: it says what the test tells it, and
// follows the protocol by itself when asked to.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/snapshot/delta.h"
#include "sluice/v1/control_service.grpc.pb.h"

namespace sluice::publish::testing {

// No sane wait is as long; a test that needs it fails.
inline constexpr std::chrono::seconds kDeadline{40};

class TestNode {
 public:
  struct Options {
    std::string id = "n1", boot = "boot";
    v1::Version current;
    bool automatic = true;  // Prepares, commits and answers commands by itself.
    bool reads = true;
    std::function<std::string(const v1::Prepare&)> refuse;  // Not empty: why it rejects.
    std::optional<v1::PreflightReport> preflight;           // What it finds; none: it cannot.
    std::vector<std::string> features = {};                 // None: of before they were declared.
    std::map<std::string, std::string> labels = {};
  };

  TestNode(const std::shared_ptr<grpc::Channel>& channel, Options options)
      : options_(std::move(options)), stub_(v1::ControlService::NewStub(channel)) {
    version_ = options_.current;
    stream_ = stub_->Connect(&context_);
    v1::ProxyMessage hello;
    hello.mutable_hello()->set_node_id(options_.id);
    hello.mutable_hello()->set_boot_id(options_.boot);
    hello.mutable_hello()->set_protocol_version(1);
    for (const std::string& feature : options_.features) {
      hello.mutable_hello()->add_features(feature);
    }
    for (const auto& [key, value] : options_.labels) {
      (*hello.mutable_hello()->mutable_labels())[key] = value;
    }
    *hello.mutable_hello()->mutable_current() = options_.current;
    if (options_.preflight) hello.mutable_hello()->add_features("preflight");
    Send(hello);
    if (options_.reads) reader_ = std::thread([this] { Read(); });
  }
  ~TestNode() { Leave(); }

  void Send(const v1::ProxyMessage& message) {
    const std::lock_guard lock(write_mutex_);
    stream_->Write(message);
  }
  void SendReport() {
    v1::ProxyMessage message;
    message.mutable_report()->mutable_current()->CopyFrom(version());
    Send(message);
  }

  // Ends the stream as a process does that is killed.
  void Leave() {
    context_.TryCancel();
    if (reader_.joinable()) {
      reader_.join();
    } else if (!finished_) {
      v1::ControllerMessage ignored;
      while (stream_->Read(&ignored)) {
      }
      status_ = stream_->Finish();
    }
    finished_ = true;
  }

  // Waits for the stream's end; how it ended.
  grpc::Status WaitForEnd() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kDeadline, [this] { return ended_; }));
    return status_;
  }
  using Messages = std::vector<v1::ControllerMessage>;
  bool WaitFor(const std::function<bool(const Messages&)>& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return done(messages_); });
  }
  bool WaitForA(v1::ControllerMessage::MessageCase kind) {
    return WaitFor([kind](const Messages& messages) {
      for (const auto& message : messages) {
        if (message.message_case() == kind) return true;
      }
      return false;
    });
  }
  bool WaitForRoot(const std::string& root) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return version_.root() == root; });
  }
  Messages messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  v1::Version version() {
    const std::lock_guard lock(mutex_);
    return version_;
  }
  int Count(v1::ControllerMessage::MessageCase kind) {
    int count = 0;
    for (const auto& message : messages()) count += message.message_case() == kind;
    return count;
  }

 private:
  void Read() {
    v1::ControllerMessage message;
    while (stream_->Read(&message)) {
      std::vector<v1::ProxyMessage> answers;
      {
        const std::lock_guard lock(mutex_);
        messages_.push_back(message);
        if (options_.automatic) answers = Follow(message);
      }
      for (const v1::ProxyMessage& answer : answers) Send(answer);
      changed_.notify_all();
    }
    const grpc::Status status = stream_->Finish();
    const std::lock_guard lock(mutex_);
    status_ = status;
    ended_ = true;
    finished_ = true;
    changed_.notify_all();
  }

  std::vector<v1::ProxyMessage> Follow(const v1::ControllerMessage& message) {
    v1::ProxyMessage answer;
    switch (message.message_case()) {
      case v1::ControllerMessage::kOffer:
        decoder_.emplace(message.offer(),
                         message.offer().base_root().empty() ? snapshot::Resources() : resources_,
                         uint64_t{1} << 30);
        return {};
      case v1::ControllerMessage::kChunk:
        EXPECT_TRUE(decoder_.has_value() && decoder_->Add(message.chunk()).ok());
        return {};
      case v1::ControllerMessage::kPrepare: {
        auto rebuilt = std::move(*decoder_).Finish();
        decoder_.reset();
        EXPECT_TRUE(rebuilt.ok()) << rebuilt.status();
        if (!rebuilt.ok()) return {};
        prepared_ = *std::move(rebuilt);
        const std::string why = options_.refuse ? options_.refuse(message.prepare()) : "";
        if (why.empty()) {
          answer.mutable_prepared()->set_root(message.prepare().root());
          return {answer};
        }
        answer.mutable_rejected()->set_root(message.prepare().root());
        v1::ResourceError& error = *answer.mutable_rejected()->add_errors();
        error.set_message(why);
        error.mutable_resource()->set_kind(v1::RESOURCE_KIND_LISTENER);
        error.mutable_resource()->set_name("web");
        error.set_field("address");
        return {answer};
      }
      case v1::ControllerMessage::kCommit: {
        version_ = message.commit().version();
        resources_ = prepared_;
        v1::ProxyMessage effective;
        *answer.mutable_applied()->mutable_version() = version_;
        *effective.mutable_effective()->mutable_version() = version_;
        return {answer, effective};
      }
      case v1::ControllerMessage::kPreflight:
        *answer.mutable_preflight_report() = options_.preflight.value();
        answer.mutable_preflight_report()->set_root(message.preflight().root());
        return {answer};
      case v1::ControllerMessage::kCommand:
        answer.mutable_command_result()->set_id(message.command().id());
        answer.mutable_command_result()->set_ok(!message.command().has_dump());
        answer.mutable_command_result()->set_json("{\"answer\": 42}");
        answer.mutable_command_result()->set_error("no dump here");
        return {answer};
      default:
        return {};
    }
  }

  const Options options_;
  const std::unique_ptr<v1::ControlService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ProxyMessage, v1::ControllerMessage>> stream_;
  std::mutex write_mutex_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Messages messages_;
  v1::Version version_;
  snapshot::Resources resources_, prepared_;
  std::optional<snapshot::DeltaDecoder> decoder_;
  grpc::Status status_;
  bool ended_ = false;
  bool finished_ = false;
  std::thread reader_;
};

}  // namespace sluice::publish::testing
