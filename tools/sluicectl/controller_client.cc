#include "tools/sluicectl/controller_client.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/base/address.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "sluice/v1/admin_service.grpc.pb.h"
#include "sluice/v1/backup.grpc.pb.h"
#include "sluice/v1/token_service.grpc.pb.h"

namespace sluice::sluicectl {
namespace {

using Clock = std::chrono::system_clock;
using std::chrono::milliseconds;

constexpr size_t kPemBytesMax = 1024 * 1024;
// Fleet status and configuration of large fleets outgrow gRPC's 4 MiB.
constexpr int kMessageBytesMax = 256 * 1024 * 1024;
// The controller keeps to the timeout it was given; its last word needs time to arrive.
constexpr milliseconds kGrace{2000};
// Messages read ahead of a slow terminal; older ones are complete in newer ones, so they may go.
constexpr size_t kQueueMax = 64;

bool IsLoopback(const base::HostPort& address) {
  if (address.host == "localhost") return true;
  const auto numeric = base::ResolveNumeric(base::FormatHostPort(address.host, address.port));
  return numeric.ok() && numeric->is_loopback();
}

absl::StatusOr<std::string> ReadPem(const std::string& flag, const std::string& path) {
  if (path.empty()) return std::string();
  auto content = base::ReadFile(path, kPemBytesMax);
  if (!content.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", flag, std::string(content.status().message())));
  }
  return content;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const GlobalOptions& options, const base::HostPort& address) {
  const bool any_tls = !options.tls_ca.empty() || !options.tls_cert.empty() ||
                       !options.tls_key.empty() || !options.token_file.empty();
  if (options.insecure) {
    if (any_tls) {
      return absl::InvalidArgumentError(
          "--insecure and --tls-... or --token-file contradict each other; give one");
    }
    return grpc::InsecureChannelCredentials();
  }
  if (!any_tls && IsLoopback(address)) {
    return absl::InvalidArgumentError(fmt::format(
        "no credentials for the controller at {}: add --insecure (or SLUICECTL_INSECURE=1) when it "
        "was started with --insecure, else --context DATA-DIR/operator/context.yaml of the "
        "controller, or --tls-ca, --tls-cert and --tls-key",
        options.controller));
  }
  if (!any_tls) {
    return absl::InvalidArgumentError(fmt::format(
        "no credentials for the controller at {}: add --tls-ca FILE, --tls-cert FILE and "
        "--tls-key FILE, or name them in the context file",
        options.controller));
  }
  if (!options.token_file.empty() && options.tls_ca.empty()) {
    return absl::InvalidArgumentError(
        "--token-file needs --tls-ca beside it: the token is shown only to who is known");
  }
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("{} needs {} beside it", options.tls_cert.empty() ? "--tls-key" : "--tls-cert",
                    options.tls_cert.empty() ? "--tls-cert" : "--tls-key"));
  }
  grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, ReadPem("--tls-ca", options.tls_ca));
  ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadPem("--tls-cert", options.tls_cert));
  ASSIGN_OR_RETURN(tls.pem_private_key, ReadPem("--tls-key", options.tls_key));
  return grpc::SslCredentials(tls);
}

// What the authorization field says; empty: nothing.
absl::StatusOr<std::string> Authorization(const GlobalOptions& options) {
  if (options.token_file.empty()) return std::string();
  ASSIGN_OR_RETURN(const std::string text, ReadPem("--token-file", options.token_file));
  const size_t begin = text.find_first_not_of(" \t\r\n");
  const std::string token = begin == std::string::npos
                                ? ""
                                : text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
  const bool plain =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (token.empty() || !plain) {
    return absl::InvalidArgumentError(
        fmt::format("--token-file: {} holds no token", options.token_file));
  }
  return "Bearer " + token;
}

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // The address is meant as it is written.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // Also bounds a connection attempt.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);  // Somebody watches and waits.
  // A controller that hangs, or that packets no longer reach, ends the call of who watches it.
  // controlplane/serve/grpc_port.cc permits such pings; nothing else is sent meanwhile.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

// Carries messages from the thread that reads the stream to the one that shows them.
template <typename Message>
class Mailbox {
 public:
  void Put(Message message) {
    const std::lock_guard lock(mutex_);
    if (messages_.size() == kQueueMax) messages_.pop_front();
    messages_.push_back(std::move(message));
    changed_.notify_one();
  }

  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }

  enum class Event { kMessage, kTick, kClosed };
  Event Take(milliseconds tick, Message* message) {
    std::unique_lock lock(mutex_);
    const bool ready =
        changed_.wait_for(lock, tick, [this] { return closed_ || !messages_.empty(); });
    if (!ready) return Event::kTick;
    if (messages_.empty()) return Event::kClosed;
    *message = std::move(messages_.front());
    messages_.pop_front();
    return Event::kMessage;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;
  bool closed_ = false;
};

}  // namespace

struct ControllerClient::Connection {
  using Stub = v1::AdminService::Stub;

  std::string address;
  milliseconds request_timeout;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<Stub> stub;
  std::unique_ptr<v1::TokenService::Stub> tokens;
  std::string authorization;  // Empty: the certificate says who calls.

  void Authorize(grpc::ClientContext* context) const {
    if (!authorization.empty()) context->AddMetadata("authorization", authorization);
  }

  absl::Status ToStatus(const grpc::Status& status) const {
    const bool connected = channel->GetState(false) == GRPC_CHANNEL_READY;
    switch (status.error_code()) {
      case grpc::StatusCode::OK:
        return absl::OkStatus();
      case grpc::StatusCode::UNAVAILABLE:
        return absl::UnavailableError(fmt::format("the controller at {} cannot be reached: {}",
                                                  address, status.error_message()));
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        if (!connected) {
          return absl::UnavailableError(
              fmt::format("the controller at {} cannot be reached: no answer in time", address));
        }
        return absl::DeadlineExceededError(
            fmt::format("the controller at {} did not answer in time", address));
      case grpc::StatusCode::UNIMPLEMENTED:
        return absl::UnimplementedError(
            fmt::format("the controller at {} does not know this request; is it older than this "
                        "sluicectl, or no Sluice controller? ({})",
                        address, status.error_message()));
      default:
        break;
    }
    const std::string message = status.error_message().empty()
                                    ? fmt::format("the controller refused with status {}",
                                                  static_cast<int>(status.error_code()))
                                    : status.error_message();
    const bool who = status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
                     status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
    return who ? absl::PermissionDeniedError(message) : absl::FailedPreconditionError(message);
  }

  template <typename Service, typename Request, typename Response>
  absl::StatusOr<Response> CallOf(Service* service,
                                  grpc::Status (Service::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                                  const Request& request) {
    grpc::ClientContext context;
    Authorize(&context);
    context.set_deadline(Clock::now() + request_timeout);
    Response response;
    RETURN_IF_ERROR(ToStatus((service->*method)(&context, request, &response)));
    return response;
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) {
    return CallOf(stub.get(), method, request);
  }

  template <typename Request, typename Message>
  absl::Status Stream(std::unique_ptr<grpc::ClientReader<Message>> (Stub::*method)(
                          grpc::ClientContext*, const Request&),
                      const Request& request, std::optional<milliseconds> timeout,
                      const StreamHandler<Message>& handler) {
    grpc::ClientContext context;
    Authorize(&context);
    if (timeout) context.set_deadline(Clock::now() + *timeout + kGrace);
    const auto reader = (stub.get()->*method)(&context, request);
    Mailbox<Message> mailbox;
    std::thread thread([&] {
      Message message;
      while (reader->Read(&message)) mailbox.Put(std::move(message));
      mailbox.Close();
    });
    const bool stopped = Deliver(&mailbox, handler);
    if (stopped) context.TryCancel();
    thread.join();
    const grpc::Status status = reader->Finish();
    return stopped ? absl::OkStatus() : ToStatus(status);
  }

  // True when the handler had enough, false at the end of the stream.
  template <typename Message>
  static bool Deliver(Mailbox<Message>* mailbox, const StreamHandler<Message>& handler) {
    for (;;) {
      Message message;
      switch (mailbox->Take(handler.tick, &message)) {
        case Mailbox<Message>::Event::kMessage:
          if (!handler.on_message(message)) return true;
          break;
        case Mailbox<Message>::Event::kTick:
          if (handler.wanted && !handler.wanted()) return true;
          if (handler.on_tick) handler.on_tick();
          break;
        case Mailbox<Message>::Event::kClosed:
          return false;
      }
    }
  }
};

ControllerClient::ControllerClient(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

ControllerClient::~ControllerClient() = default;

absl::StatusOr<std::unique_ptr<ControllerClient>> ControllerClient::Create(
    const GlobalOptions& options) {
  const auto address = base::ParseHostPort(options.controller);
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("--controller: {}", std::string(address.status().message())));
  }
  ASSIGN_OR_RETURN(const auto credentials, Credentials(options, *address));
  auto connection = std::make_unique<Connection>();
  connection->address = options.controller;
  connection->request_timeout = milliseconds(options.request_timeout.value);
  connection->channel =
      grpc::CreateCustomChannel(options.controller, credentials, ChannelArguments());
  ASSIGN_OR_RETURN(connection->authorization, Authorization(options));
  connection->stub = v1::AdminService::NewStub(connection->channel);
  connection->tokens = v1::TokenService::NewStub(connection->channel);
  return std::unique_ptr<ControllerClient>(new ControllerClient(std::move(connection)));
}

using Stub = v1::AdminService::Stub;

absl::StatusOr<v1::DiffResponse> ControllerClient::Diff(const v1::DiffRequest& request) {
  return connection_->Call(&Stub::Diff, request);
}

absl::StatusOr<v1::FleetStatus> ControllerClient::GetStatus(const v1::GetStatusRequest& request) {
  return connection_->Call(&Stub::GetStatus, request);
}

absl::StatusOr<v1::ListVersionsResponse> ControllerClient::ListVersions(
    const v1::ListVersionsRequest& request) {
  return connection_->Call(&Stub::ListVersions, request);
}

absl::StatusOr<v1::GetConfigResponse> ControllerClient::GetConfig(
    const v1::GetConfigRequest& request) {
  return connection_->Call(&Stub::GetConfig, request);
}

absl::StatusOr<v1::ExplainResponse> ControllerClient::Explain(const v1::ExplainRequest& request) {
  return connection_->Call(&Stub::Explain, request);
}

absl::StatusOr<v1::NodeActionResponse> ControllerClient::NodeAction(
    const v1::NodeActionRequest& request) {
  return connection_->Call(&Stub::NodeAction, request);
}

absl::StatusOr<v1::ListAuditResponse> ControllerClient::ListAudit(
    const v1::ListAuditRequest& request) {
  return connection_->Call(&Stub::ListAudit, request);
}

absl::StatusOr<v1::GetDiagnosticsResponse> ControllerClient::GetDiagnostics(
    const v1::GetDiagnosticsRequest& request) {
  return connection_->Call(&Stub::GetDiagnostics, request);
}

absl::StatusOr<v1::Rollout> ControllerClient::GetRollout(const v1::GetRolloutRequest& request) {
  return connection_->Call(&Stub::GetRollout, request);
}

absl::StatusOr<v1::Rollout> ControllerClient::ActOnRollout(
    const v1::RolloutActionRequest& request) {
  return connection_->Call(&Stub::ActOnRollout, request);
}

absl::Status ControllerClient::WatchRollout(const v1::GetRolloutRequest& request,
                                            StreamHandler<v1::Rollout> handler) {
  return connection_->Stream(&Stub::WatchRollout, request, std::nullopt, handler);
}

absl::StatusOr<v1::CreateTokenResponse> ControllerClient::CreateToken(
    const v1::CreateTokenRequest& request) {
  return connection_->CallOf(connection_->tokens.get(), &v1::TokenService::Stub::CreateToken,
                             request);
}

absl::StatusOr<v1::ListTokensResponse> ControllerClient::ListTokens(
    const v1::ListTokensRequest& request) {
  return connection_->CallOf(connection_->tokens.get(), &v1::TokenService::Stub::ListTokens,
                             request);
}

absl::StatusOr<v1::RevokeTokenResponse> ControllerClient::RevokeToken(
    const v1::RevokeTokenRequest& request) {
  return connection_->CallOf(connection_->tokens.get(), &v1::TokenService::Stub::RevokeToken,
                             request);
}

absl::Status ControllerClient::Backup(
    const v1::BackupRequest& request,
    const std::function<absl::Status(std::string_view piece)>& take) {
  const auto stub = v1::BackupService::NewStub(connection_->channel);
  grpc::ClientContext context;
  connection_->Authorize(&context);
  const auto reader = stub->Backup(&context, request);
  v1::BackupChunk chunk;
  absl::Status taken;
  while (taken.ok() && reader->Read(&chunk)) taken = take(chunk.data());
  if (!taken.ok()) context.TryCancel();
  const grpc::Status status = reader->Finish();
  return taken.ok() ? connection_->ToStatus(status) : taken;
}

absl::Status ControllerClient::Apply(const v1::ApplyRequest& request, Timeout timeout,
                                     StreamHandler<v1::ApplyProgress> handler) {
  return connection_->Stream(&Stub::Apply, request, timeout, handler);
}

absl::Status ControllerClient::Rollback(const v1::RollbackRequest& request, Timeout timeout,
                                        StreamHandler<v1::ApplyProgress> handler) {
  return connection_->Stream(&Stub::Rollback, request, timeout, handler);
}

absl::Status ControllerClient::WatchStatus(const v1::GetStatusRequest& request,
                                           StreamHandler<v1::FleetStatus> handler) {
  return connection_->Stream(&Stub::WatchStatus, request, std::nullopt, handler);
}

}  // namespace sluice::sluicectl
