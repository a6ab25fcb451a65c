#include "dataplane/enroll/enroller.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/trust/signing_request.h"
#include "common/trust/token_text.h"
#include "dataplane/enroll/authority_probe.h"
#include "sluice/v1/enrollment_service.grpc.pb.h"

namespace sluice::enroll {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCallTimeout{10'000};
// Clocks are set and tokens are put into place while we sleep.
constexpr milliseconds kSleepMax{5'000};

std::string Text(const absl::Status& status) { return std::string(status.message()); }

bool IsRefusal(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
}

std::shared_ptr<::grpc::Channel> MakeChannel(const std::string& controller,
                                             const ::grpc::SslCredentialsOptions& tls) {
  ::grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return ::grpc::CreateCustomChannel(controller, ::grpc::SslCredentials(tls), arguments);
}

absl::Status ToStatus(const ::grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace

Enroller::Enroller(EnrollerOptions options, std::function<void()> on_ready)
    : options_(std::move(options)),
      on_ready_(std::move(on_ready)),
      certificate_(options_.state_dir),
      backoff_(options_.retry_min, options_.retry_max, base::RandomSeed()),
      random_(base::RandomSeed()) {}

Enroller::~Enroller() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

absl::Status Enroller::Check() const {
  RETURN_IF_ERROR(certificate_.Prepare());
  const auto present = certificate_.Load();
  if (!present.ok()) {
    if (!options_.join_token_file.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(fmt::format(
        "{}: this proxy has not joined a controller yet: give --join-token-file with a token of "
        "`sluicectl token create`, or --insecure for a controller on this machine that was started "
        "so",
        Text(present.status())));
  }
  if (present->node_id == options_.node_id) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "the certificate in {} is for node {}, and --node-id is {}: give the right name, or another "
      "--state-dir and a join token",
      certificate_.path(), present->node_id, options_.node_id));
}

void Enroller::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Enroller::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (call_ != nullptr) call_->TryCancel();
  changed_.notify_all();
}

void Enroller::NoteRefused() {
  const std::lock_guard lock(mutex_);
  refused_ = true;
  changed_.notify_all();
}

bool Enroller::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool Enroller::Sleep(milliseconds duration) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, duration, [this] { return stopping_; });
}

bool Enroller::BeginCall(::grpc::ClientContext* context) {
  const std::lock_guard lock(mutex_);
  context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  if (!stopping_) call_ = context;
  return !stopping_;
}

void Enroller::EndCall() {
  const std::lock_guard lock(mutex_);
  call_ = nullptr;
}

void Enroller::Run() {
  while (!stopping()) {
    const bool has_certificate = AwaitRenewal();
    if (stopping()) return;
    Attempt(has_certificate);
  }
}

bool Enroller::AwaitRenewal() {
  const auto present = certificate_.Load();
  const int64_t end_ms = present.ok() ? present->not_after_unix * 1000 : 0;
  if (base::UnixMillis() >= end_ms) return false;
  if (!std::exchange(ready_, true)) on_ready_();
  // Between half and three fifths, so that a fleet that joined together does not come back together
  // and two thirds are never passed while there is a controller.
  const double life_ms = static_cast<double>(end_ms - present->not_before_unix * 1000);
  due_ms_ = end_ms - static_cast<int64_t>(life_ms * (0.5 - 0.1 * random_.Unit()));
  std::unique_lock lock(mutex_);
  for (;;) {
    const milliseconds left(due_ms_ - base::UnixMillis());
    if (stopping_ || std::exchange(refused_, false) || left.count() <= 0) return true;
    changed_.wait_for(lock, std::min(left, kSleepMax));
    lock.unlock();
    if (HasTokenOfAnotherAuthority()) return true;
    lock.lock();
  }
}

void Enroller::Attempt(bool has_certificate) {
  const std::string& controller =
      options_.controllers[next_controller_++ % options_.controllers.size()];
  bool joined = !has_certificate || HasTokenOfAnotherAuthority();
  absl::Status status = joined ? Join(controller) : Renew(controller);
  if (has_certificate && joined && !status.ok() && base::UnixMillis() >= due_ms_) {
    status = Renew(controller);  // It may be for a controller that is not there yet.
    joined = false;
  } else if (has_certificate && !joined && IsRefusal(status) && ReadToken().ok()) {
    status = Join(controller);
    joined = true;
  }
  if (status.ok()) {
    base::LogInfo("{} controller {}: this is node {}", joined ? "joined" : "certificate renewed by",
                  controller, options_.node_id);
    backoff_.Reset();
    last_problem_.clear();
    return;
  }
  if (stopping()) return;
  // Once for each reason: the count of attempts is no news.
  const std::string problem =
      fmt::format("{} at controller {}: {}", joined ? "joining" : "renewing the certificate",
                  controller, Text(status));
  if (problem != last_problem_) base::LogWarn("{}", problem);
  last_problem_ = problem;
  Sleep(backoff_.Next());
}

absl::StatusOr<std::string> Enroller::ReadToken() const {
  if (options_.join_token_file.empty()) {
    return absl::NotFoundError(
        "its certificate is of no use any more and there is no --join-token-file: make a token "
        "with `sluicectl token create --node-id " +
        options_.node_id + "`");
  }
  ASSIGN_OR_RETURN(std::string text,
                   base::ReadFile(options_.join_token_file, trust::kTokenBytesMax));
  if (text != refused_token_) return text;
  return absl::NotFoundError(
      fmt::format("the join token in {} has been refused: put a new one there, of `sluicectl token "
                  "create --node-id {}`",
                  options_.join_token_file, options_.node_id));
}

bool Enroller::HasTokenOfAnotherAuthority() const {
  const auto text = ReadToken();
  if (!text.ok()) return false;
  const auto token = trust::ParseToken(*text);
  if (!token.ok() || token->kind != trust::TokenText::Kind::kJoin) return false;
  const auto pem = base::ReadFile(certificate_.ca_path(), trust::kPemBytesMax);
  if (!pem.ok()) return false;
  const auto ca = trust::ParseCertificate(*pem);
  return ca.ok() && trust::Fingerprint(ca->get()) != token->ca_fingerprint;
}

absl::Status Enroller::Join(const std::string& controller) {
  ASSIGN_OR_RETURN(const std::string text, ReadToken());
  const auto token = trust::ParseToken(text);
  if (!token.ok() || token->kind != trust::TokenText::Kind::kJoin) {
    return absl::InvalidArgumentError(
        fmt::format("{} holds no join token: put one there, of `sluicectl token create`",
                    options_.join_token_file));
  }
  ASSIGN_OR_RETURN(const std::string ca_pem,
                   FindAuthority(controller, token->ca_fingerprint, kCallTimeout,
                                 [this] { return stopping(); }));
  ASSIGN_OR_RETURN(const trust::KeyPtr key, certificate_.PendingKey());
  v1::EnrollRequest request;
  request.set_token(trust::FormatToken(*token));
  request.set_node_id(options_.node_id);
  ASSIGN_OR_RETURN(*request.mutable_signing_request_pem(), trust::MakeSigningRequest(key.get()));
  const auto channel = MakeChannel(controller, {.pem_root_certs = ca_pem});
  const auto stub = v1::EnrollmentService::NewStub(channel);
  ::grpc::ClientContext context;
  v1::EnrollResponse response;
  if (!BeginCall(&context)) return absl::CancelledError("ending");
  const absl::Status status = ToStatus(stub->Enroll(&context, request, &response));
  EndCall();
  if (IsRefusal(status)) refused_token_ = text;
  RETURN_IF_ERROR(status);
  return certificate_.Store(response, key.get(), options_.node_id);
}

absl::Status Enroller::Renew(const std::string& controller) {
  ::grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, base::ReadFile(certificate_.ca_path(), trust::kPemBytesMax));
  ASSIGN_OR_RETURN(tls.pem_cert_chain, base::ReadFile(certificate_.path(), trust::kPemBytesMax));
  tls.pem_private_key = tls.pem_cert_chain;
  ASSIGN_OR_RETURN(const trust::KeyPtr key, trust::MakeKey());
  v1::RenewRequest request;
  ASSIGN_OR_RETURN(*request.mutable_signing_request_pem(), trust::MakeSigningRequest(key.get()));
  const auto channel = MakeChannel(controller, tls);
  const auto stub = v1::EnrollmentService::NewStub(channel);
  ::grpc::ClientContext context;
  v1::EnrollResponse response;
  if (!BeginCall(&context)) return absl::CancelledError("ending");
  const absl::Status status = ToStatus(stub->Renew(&context, request, &response));
  EndCall();
  RETURN_IF_ERROR(status);
  return certificate_.Store(response, key.get(), options_.node_id);
}

}  // namespace sluice::enroll
