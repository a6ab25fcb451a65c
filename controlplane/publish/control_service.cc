#include "controlplane/publish/control_service.h"

#include <algorithm>
#include <deque>

namespace sluice::publish {
namespace {

// One proxy's stream: what was sent to it, one write at a time.
//
// Send and Close come from any thread (under the hub's lock), the On… methods from gRPC. Freed when gRPC has
// called OnDone and the hub has let go.
class Subscriber final : public grpc::ServerBidiReactor<v1::ProxyMessage, v1::ControllerMessage>,
                         public Outbox,
                         public std::enable_shared_from_this<Subscriber> {
 public:
  // Small messages that may wait for a node that does not read; then its stream ends, and it starts afresh.
  static constexpr size_t kQueueMax = 65'536;

  Subscriber(Hub& hub, std::string peer) : hub_(hub), peer_(std::move(peer)) {}

  void Start() {
    self_ = shared_from_this();
    stream_ = hub_.Open(self_);
    StartRead(&incoming_);
  }

  void Send(SharedMessage message) override {
    const std::lock_guard lock(mutex_);
    if (finishing_) return;
    if (message->has_offer()) {
      // The newest wins: what has not left of an older offer never will.
      const auto stale = [](const SharedMessage& queued) {
        return queued->has_offer() || queued->has_chunk() || queued->has_prepare();
      };
      queue_.erase(std::remove_if(queue_.begin(), queue_.end(), stale), queue_.end());
    }
    if (queue_.size() >= kQueueMax) {
      FinishLocked(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too much waits to be read"));
      return;
    }
    queue_.push_back(std::move(message));
    WriteLocked();
  }

  void Close(const std::string& reason) override {
    const std::lock_guard lock(mutex_);
    close_reason_ = reason;
    closing_ = true;
    WriteLocked();  // What is queued still leaves.
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      const std::lock_guard lock(mutex_);
      FinishLocked(grpc::Status::OK);
      return;
    }
    if (!greeted_) {
      if (!incoming_.has_hello() || incoming_.hello().node_id().empty()) {
        const std::lock_guard lock(mutex_);
        FinishLocked(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                                  "the first message must be Hello with a node id"));
        return;
      }
      greeted_ = true;
    }
    hub_.OnMessage(stream_, incoming_, peer_);
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_.reset();
    if (!ok) {
      FinishLocked(grpc::Status::OK);
      return;
    }
    WriteLocked();
  }

  void OnDone() override {
    hub_.OnClosed(stream_, close_reason_.empty() ? "the stream ended" : close_reason_);
    self_.reset();  // May free this.
  }

 private:
  void WriteLocked() {
    if (finishing_ || writing_ != nullptr) return;
    if (queue_.empty()) {
      if (closing_) FinishLocked(grpc::Status(grpc::StatusCode::UNAVAILABLE, close_reason_));
      return;
    }
    writing_ = std::move(queue_.front());
    queue_.pop_front();
    StartWrite(writing_.get());
  }
  void FinishLocked(grpc::Status status) {
    if (finishing_) return;
    finishing_ = true;
    queue_.clear();
    Finish(std::move(status));
  }

  Hub& hub_;
  const std::string peer_;
  uint64_t stream_ = 0;
  v1::ProxyMessage incoming_;
  bool greeted_ = false;
  std::shared_ptr<Subscriber> self_;  // Until OnDone.

  std::mutex mutex_;  // Guards what follows.
  std::deque<SharedMessage> queue_;
  SharedMessage writing_;  // Alive until OnWriteDone.
  std::string close_reason_;
  bool closing_ = false;
  bool finishing_ = false;
};

}  // namespace

grpc::ServerBidiReactor<v1::ProxyMessage, v1::ControllerMessage>* ControlService::Connect(
    grpc::CallbackServerContext* context) {
  auto subscriber = std::make_shared<Subscriber>(hub_, context->peer());
  subscriber->Start();
  return subscriber.get();
}

}  // namespace sluice::publish
