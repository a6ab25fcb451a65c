// A controller in the test's own process, on a real socket, that says what the test tells it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sluice/v1/control_service.grpc.pb.h"

namespace sluice::control::testing {

class FakeController final : public v1::ControlService::Service {
 public:
  using Stream = ::grpc::ServerReaderWriter<v1::ControllerMessage, v1::ProxyMessage>;

  ~FakeController() override { Stop(); }

  // `port` 0: any. False when it is taken.
  bool Start(int port = 0, std::shared_ptr<::grpc::ServerCredentials> credentials =
                               ::grpc::InsecureServerCredentials()) {
    ::grpc::ServerBuilder builder;
    int bound = 0;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), std::move(credentials), &bound);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    port_ = bound;
    return server_ != nullptr && bound != 0;
  }
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    if (server_ != nullptr) server_->Wait();
    server_.reset();
    Locked([this] { stopping_ = false; });
  }
  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // How the next streams behave.
  void set_welcomes(bool welcomes) {
    Locked([&] { welcomes_ = welcomes; });
  }
  void set_reads(bool reads) {
    Locked([&] { reads_ = reads; });
  }
  void set_report_interval_ms(uint32_t ms) {
    Locked([&] { report_interval_ms_ = ms; });
  }
  void set_term(uint64_t term, const std::string& log = "log") {
    Locked([&] {
      term_ = term;
      log_ = log;
    });
  }

  // Blocks until what has come in satisfies `done`; long after any sane wait the test fails.
  using Messages = std::vector<v1::ProxyMessage>;
  void WaitFor(const std::function<bool(const Messages&)>& done) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(40), [&] { return done(messages_); }));
  }
  v1::ProxyMessage WaitForA(v1::ProxyMessage::MessageCase which, int count = 1) {
    v1::ProxyMessage found;
    WaitFor([&](const Messages& messages) {
      int seen = 0;
      for (const auto& message : messages) {
        if (message.message_case() != which || ++seen < count) continue;
        found = message;
        return true;
      }
      return false;
    });
    return found;
  }
  Messages TakeMessages() {
    const std::lock_guard lock(mutex_);
    return std::exchange(messages_, {});
  }

  // On the newest stream.
  void Send(const v1::ControllerMessage& message) {
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }

  ::grpc::Status Connect(::grpc::ServerContext* context, Stream* stream) override {
    v1::ProxyMessage message;
    if (!stream->Read(&message)) return ::grpc::Status::OK;
    bool reads = true;
    {
      const std::lock_guard lock(mutex_);
      stream_ = stream;
      reads = reads_;
      v1::ControllerMessage welcome;
      welcome.mutable_welcome()->set_report_interval_ms(report_interval_ms_);
      welcome.mutable_welcome()->set_term(term_);
      welcome.mutable_welcome()->set_log(log_);
      if (welcomes_) stream->Write(welcome);
      messages_.push_back(message);
    }
    changed_.notify_all();
    while (reads && stream->Read(&message)) {
      const std::lock_guard lock(mutex_);
      messages_.push_back(message);
      changed_.notify_all();
    }
    std::unique_lock lock(mutex_);
    while (!reads && !stopping_ && !context->IsCancelled()) {
      changed_.wait_for(lock, std::chrono::milliseconds(10));
    }
    if (stream_ == stream) stream_ = nullptr;
    return ::grpc::Status::OK;
  }

 private:
  template <typename Function>
  void Locked(Function function) {
    const std::lock_guard lock(mutex_);
    function();
  }

  std::unique_ptr<::grpc::Server> server_;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  Messages messages_;
  Stream* stream_ = nullptr;
  uint32_t report_interval_ms_ = 60'000;
  uint64_t term_ = 0;
  std::string log_;
  bool welcomes_ = true;
  bool reads_ = true;
  bool stopping_ = false;
};

}  // namespace sluice::control::testing
