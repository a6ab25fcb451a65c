#include "controlplane/publish/control_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace sluice::publish {
namespace {

// The bytes are not copied: gRPC holds a share of the message until they have left.
grpc::ByteBuffer BufferOf(const SharedMessage& message) {
  auto* share = new SharedMessage(message);
  grpc::Slice slice(
      const_cast<char*>(message->bytes.data()), message->bytes.size(),
      [](void* held) { delete static_cast<SharedMessage*>(held); }, share);
  return grpc::ByteBuffer(&slice, 1);
}

// A stream that nobody may have.
class RefusedStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(trust::ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// One proxy's stream: what was sent to it, one write at a time.
//
// Send and Close come from any thread (under the hub's lock), the On… methods from gRPC. Freed when
// gRPC has called OnDone and the hub has let go.
class Subscriber final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public Outbox,
                         public std::enable_shared_from_this<Subscriber> {
 public:
  // `context` lives until OnDone. `caller` is the node whose certificate it came with; it counts
  // only if there is a guard that asks for one.
  Subscriber(Hub& hub, trust::Guard* guard, trust::Caller caller,
             grpc::CallbackServerContext* context)
      : hub_(hub),
        guard_(guard != nullptr && guard->open() ? nullptr : guard),
        caller_(std::move(caller)),
        context_(context),
        peer_(caller_.peer.empty() ? context->peer() : caller_.peer) {}

  void Start() {
    self_ = shared_from_this();
    stream_ = hub_.Open(self_);
    if (stream_ != 0) StartRead(&incoming_);
  }

  void Send(SharedMessage message) override {
    const std::lock_guard lock(mutex_);
    if (finishing_ || closing_) return;
    if (message->kind == v1::ControllerMessage::kOffer) {
      // The newest wins: what has not left of an older offer never will.
      std::erase_if(queue_, [](const SharedMessage& queued) { return queued->is_of_offer(); });
    }
    if (queue_.size() >= ControlService::kQueueMax) {
      FinishLocked(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                "the node does not read what it is sent"));
      context_->TryCancel();  // Else the end, too, would wait until it reads.
      return;
    }
    queue_.push_back(std::move(message));
    WriteLocked();
  }

  void Close(const absl::Status& reason) override {
    const std::lock_guard lock(mutex_);
    close_reason_ = reason;
    closing_ = true;
    WriteLocked();  // What is queued still leaves.
  }

  void Cut(const absl::Status& reason) override {
    const std::lock_guard lock(mutex_);
    const bool may_wait = writing_;
    FinishLocked(trust::ToGrpc(reason));
    if (may_wait) context_->TryCancel();  // It may have stopped reading.
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK, "the stream ended");
    v1::ProxyMessage message;
    if (incoming_.Length() > ControlService::kMessageBytesMax) {
      return Fail(grpc::StatusCode::RESOURCE_EXHAUSTED, "a message of more than 4 MiB");
    }
    if (!grpc::SerializationTraits<v1::ProxyMessage>::Deserialize(&incoming_, &message).ok()) {
      return Fail(grpc::StatusCode::INVALID_ARGUMENT, "a message that cannot be parsed");
    }
    if (!greeted_ && !message.has_hello()) {
      return Fail(grpc::StatusCode::INVALID_ARGUMENT, "the first message must be Hello");
    }
    greeted_ = true;
    const bool checked = guard_ != nullptr && message.has_hello();
    if (checked) {
      if (const absl::Status status = CheckHello(message.mutable_hello()); !status.ok()) {
        return End(trust::ToGrpc(status), std::string(status.message()));
      }
    }
    hub_.OnMessage(stream_, message, peer_);
    if (checked) {
      // Whoever removed the node a moment ago did not find this stream yet.
      const absl::Status status = guard_->CheckNode(caller_);
      if (!status.ok()) return End(trust::ToGrpc(status), std::string(status.message()));
    }
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    outgoing_.Clear();
    if (!ok) {
      FinishLocked(grpc::Status::OK);
      return;
    }
    WriteLocked();
  }

  // The peer has gone, though it may never have read or written again.
  void OnCancel() override { End(grpc::Status::CANCELLED, "the connection was lost"); }

  void OnDone() override {
    std::string note;
    {
      const std::lock_guard lock(mutex_);
      note = note_;
    }
    hub_.OnClosed(stream_, note.empty() ? "the stream ended" : note);
    self_.reset();  // May free this.
  }

 private:
  void End(const grpc::Status& status, const std::string& note) {
    const std::lock_guard lock(mutex_);
    if (note_.empty()) note_ = note;
    FinishLocked(status);
  }
  void Fail(grpc::StatusCode code, const std::string& why) { End(grpc::Status(code, why), why); }

  // The certificate says who it is; what its token gave it wins over what it says of itself.
  absl::Status CheckHello(v1::Hello* hello) {
    if (hello->node_id() != caller_.name) {
      return guard_->Refuse(
          caller_, "ControlService/Connect", trust::Refusal::kBadCredential,
          absl::PermissionDeniedError(fmt::format(
              "the certificate is for node {}, and the proxy calls itself {}: start it with "
              "--node-id {}, or with a --state-dir and a join token of its own",
              caller_.name,
              trust::IsIdentityName(hello->node_id()) ? hello->node_id() : "something unprintable",
              caller_.name)));
    }
    auto labels = guard_->LabelsOf(caller_.name);
    if (absl::IsNotFound(labels.status())) return guard_->CheckNode(caller_);
    if (!labels.ok()) return labels.status();
    for (const auto& [key, value] : labels->labels()) (*hello->mutable_labels())[key] = value;
    return absl::OkStatus();
  }

  void WriteLocked() {
    if (finishing_ || writing_) return;
    if (queue_.empty()) {
      if (closing_) FinishLocked(trust::ToGrpc(close_reason_));
      return;
    }
    outgoing_ = BufferOf(queue_.front());
    queue_.pop_front();
    writing_ = true;
    grpc::WriteOptions options;
    if (!queue_.empty()) options.set_buffer_hint();  // They leave together, in one system call.
    StartWrite(&outgoing_, options);
  }
  void FinishLocked(const grpc::Status& status) {
    if (finishing_) return;
    finishing_ = true;
    if (note_.empty()) note_ = status.error_message();
    queue_.clear();
    Finish(status);
  }

  Hub& hub_;
  trust::Guard* const guard_;  // Null: everybody is who they say they are.
  const trust::Caller caller_;
  grpc::CallbackServerContext* const context_;
  const std::string peer_;
  uint64_t stream_ = 0;
  grpc::ByteBuffer incoming_;
  bool greeted_ = false;
  std::shared_ptr<Subscriber> self_;  // Until OnDone.

  std::mutex mutex_;  // Guards what follows.
  std::deque<SharedMessage> queue_;
  grpc::ByteBuffer outgoing_;  // Alive until OnWriteDone.
  bool writing_ = false;
  absl::Status close_reason_;
  std::string note_;  // Why it ended, for people.
  bool closing_ = false;
  bool finishing_ = false;
};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ControlService::Connect(
    grpc::CallbackServerContext* context) {
  trust::Caller caller;
  if (guard_ != nullptr) {
    auto admitted = guard_->Admit(*context, "ControlService/Connect");
    if (!admitted.ok()) return new RefusedStream(admitted.status());
    caller = *std::move(admitted);
  }
  auto subscriber = std::make_shared<Subscriber>(hub_, guard_, std::move(caller), context);
  subscriber->Start();
  return subscriber.get();
}

}  // namespace sluice::publish
