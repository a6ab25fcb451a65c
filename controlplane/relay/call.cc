#include "controlplane/relay/call.h"

#include <string>
#include <string_view>
#include <utility>

#include "controlplane/relay/forwarded.h"

namespace sluice::relay {
namespace {

std::string Text(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// gRPC's own, or what only we may say.
bool IsPassedOn(std::string_view key) {
  return key != kPeerKey && key != kCertificateKey && key != "user-agent" && key != "te" &&
         key != "content-type" && !key.starts_with("grpc-") && !key.starts_with(":");
}

grpc::Status AskAgain() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      "another controller takes the lead: ask again");
}

std::string CertificateOf(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return "";
  const auto pem = auth->FindPropertyValues("x509_pem_cert");
  return pem.empty() ? "" : Text(pem.front());
}

}  // namespace

class Call::CallerSide final : public grpc::ServerGenericBidiReactor {
 public:
  explicit CallerSide(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  void OnReadDone(bool ok) override { call_->OnCallerMessage(ok); }
  void OnWriteDone(bool ok) override { call_->OnCallerTook(ok); }
  void OnCancel() override { call_->OnCallerGone(); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<Call> call_;
};

class Call::LeaderSide final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit LeaderSide(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) call_->OnLeaderMetadata();
  }
  void OnReadDone(bool ok) override { call_->OnLeaderMessage(ok); }
  void OnWriteDone(bool ok) override { call_->OnLeaderTook(ok); }
  void OnDone(const grpc::Status& status) override {
    call_->OnLeaderDone(status);
    delete this;
  }

 private:
  const std::shared_ptr<Call> call_;
};

grpc::ServerGenericBidiReactor* Call::caller() {
  caller_ = new CallerSide(shared_from_this());
  return caller_;
}

void Call::CopyMetadata() {
  for (const auto& [key, value] : caller_context_->client_metadata()) {
    if (IsPassedOn({key.data(), key.size()})) leader_context_.AddMetadata(Text(key), Text(value));
  }
  leader_context_.AddMetadata(kPeerKey, caller_context_->peer());
  const std::string certificate = CertificateOf(*caller_context_);
  if (!certificate.empty()) leader_context_.AddMetadata(kCertificateKey, certificate);
  leader_context_.set_deadline(caller_context_->deadline());
}

void Call::PassOn(std::shared_ptr<grpc::Channel> leader) {
  {
    const std::lock_guard lock(mutex_);
    if (caller_gone_ || status_.has_value()) return;
    if (aborted_) {  // Before it was passed on.
      status_ = AskAgain();
      return FinishLocked();
    }
    CopyMetadata();
    channel_ = std::move(leader);
    stub_ = std::make_unique<grpc::GenericStub>(channel_);
    leader_ = new LeaderSide(shared_from_this());
    stub_->PrepareBidiStreamingCall(&leader_context_, caller_context_->method(), {}, leader_);
    // What is asked of it comes from the caller's reactions, too, not only from its own.
    leader_->AddHold();
    holding_ = true;
    leader_->StartRead(&down_);
    leader_->StartCall();
    caller_->StartRead(&up_);
  }
}

void Call::Refuse(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  if (status_.has_value()) return;
  status_ = status;
  FinishLocked();
}

void Call::Abort() {
  {
    const std::lock_guard lock(mutex_);
    aborted_ = true;
    if (leader_ == nullptr || status_.has_value()) return;
  }
  leader_context_.TryCancel();
}

// --- From the caller to the leader.

void Call::OnCallerMessage(bool ok) {
  const std::lock_guard lock(mutex_);
  if (!holding_) return;  // The leader has ended the call.
  if (ok) {
    leader_->StartWrite(&up_);
  } else {
    leader_->StartWritesDone();  // The caller has said all it wants to say, or has gone.
  }
}

void Call::OnLeaderTook(bool ok) {
  const std::lock_guard lock(mutex_);
  if (ok && !finished_) caller_->StartRead(&up_);
  // Else it takes no more; its status follows.
}

// Its reactor goes once its status is there and nothing is under way.
void Call::LetGoOfLeaderLocked() {
  if (std::exchange(holding_, false)) leader_->RemoveHold();
}

// --- From the leader to the caller.

void Call::OnLeaderMetadata() {
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  for (const auto& [key, value] : leader_context_.GetServerInitialMetadata()) {
    if (IsPassedOn({key.data(), key.size()})) {
      caller_context_->AddInitialMetadata(Text(key), Text(value));
    }
  }
}

void Call::OnLeaderMessage(bool ok) {
  const std::lock_guard lock(mutex_);
  if (!ok) return LetGoOfLeaderLocked();  // That was all; its status follows.
  writing_down_ = true;
  caller_->StartWrite(&down_);
}

void Call::OnCallerTook(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_down_ = false;
  if (status_.has_value()) return FinishLocked();
  if (ok) {
    leader_->StartRead(&down_);
    return;
  }
  leader_context_.TryCancel();
  LetGoOfLeaderLocked();  // Nothing more is read; its status follows.
}

// --- Ends.

void Call::OnCallerGone() {
  {
    const std::lock_guard lock(mutex_);
    caller_gone_ = true;
    if (leader_ == nullptr && !status_.has_value()) {
      status_ = grpc::Status::CANCELLED;
      FinishLocked();
      return;
    }
  }
  leader_context_.TryCancel();
}

void Call::OnLeaderDone(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, value] : leader_context_.GetServerTrailingMetadata()) {
    if (IsPassedOn({key.data(), key.size()})) {
      caller_context_->AddTrailingMetadata(Text(key), Text(value));
    }
  }
  status_ = aborted_ ? AskAgain() : status;
  FinishLocked();
}

// Not while a message is on its way: it belongs before the status.
void Call::FinishLocked() {
  if (finished_ || writing_down_) return;
  finished_ = true;
  caller_->Finish(*status_);
}

}  // namespace sluice::relay
