// One stream as gRPC sees it. Internal to control_client.cc, which says how it is used.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "sluice/v1/control_service.grpc.pb.h"

namespace sluice::control {

// Counts the streams that gRPC still knows, so that their owner can wait for the last, and takes
// over their channels: whoever lets go of the last channel ends gRPC's threads and joins them, so
// it must not be one of those.
class LiveStreams {
 public:
  void Add() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void Remove(std::shared_ptr<::grpc::Channel> channel) {
    const std::lock_guard lock(mutex_);
    finished_.push_back(std::move(channel));
    if (--count_ == 0) none_.notify_all();
  }
  // Only its owner calls these.
  void FreeFinished() {
    std::vector<std::shared_ptr<::grpc::Channel>> finished;  // Freed when the lock is not held.
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  void WaitForNone() {
    {
      std::unique_lock lock(mutex_);
      none_.wait(lock, [this] { return count_ == 0; });
    }
    FreeFinished();
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::vector<std::shared_ptr<::grpc::Channel>> finished_;
  int count_ = 0;
};

// What a stream tells; called on gRPC's threads.
struct StreamEvents {
  std::function<void(v1::ControllerMessage)> on_message;  // The next one after ReadNext().
  std::function<void()> on_read_end;  // No more messages; Finish() then tells why by on_done.
  std::function<void()> on_written;   // The next Write may come.
  std::function<void(const ::grpc::Status&)> on_done;
};

// Its owner calls it from one thread, and exactly once Finish or Cancel, after which it must not be
// touched: it deletes itself when gRPC has called OnDone.
class ControlStream final
    : public ::grpc::ClientBidiReactor<v1::ProxyMessage, v1::ControllerMessage> {
 public:
  ControlStream(std::shared_ptr<::grpc::Channel> channel, StreamEvents events,
                std::shared_ptr<LiveStreams> live)
      : channel_(std::move(channel)),
        stub_(v1::ControlService::NewStub(channel_)),
        events_(std::move(events)),
        live_(std::move(live)) {
    live_->Add();
    stub_->async()->Connect(&context_, this);
    StartRead(&incoming_);
    // Reads and writes are started at times gRPC cannot know.
    AddHold();
    StartCall();
  }

  void ReadNext() {
    incoming_.Clear();
    StartRead(&incoming_);
  }
  // One at a time.
  void Write(v1::ProxyMessage message) {
    outgoing_ = std::move(message);
    StartWrite(&outgoing_);
  }
  void Finish() { RemoveHold(); }
  void Cancel() {
    context_.TryCancel();
    RemoveHold();
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      events_.on_message(std::move(incoming_));
    } else {
      events_.on_read_end();
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) events_.on_written();  // Otherwise the stream has broken, and the read ends too.
  }
  void OnDone(const ::grpc::Status& status) override {
    const std::shared_ptr<LiveStreams> live = live_;
    std::shared_ptr<::grpc::Channel> channel = channel_;
    events_.on_done(status);
    delete this;
    live->Remove(std::move(channel));
  }

 private:
  ~ControlStream() override = default;

  const std::shared_ptr<::grpc::Channel> channel_;
  ::grpc::ClientContext context_;
  const std::unique_ptr<v1::ControlService::Stub> stub_;
  const StreamEvents events_;
  const std::shared_ptr<LiveStreams> live_;
  v1::ControllerMessage incoming_;
  v1::ProxyMessage outgoing_;
};

}  // namespace sluice::control
