#include "controlplane/serve/follower_port.h"

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/admin/admin_pages.h"
#include "controlplane/admin/controller_metrics.h"
#include "controlplane/serve/grpc_port.h"

namespace sluice::serve {
namespace {

using Clock = std::chrono::steady_clock;

// The certificate of the calls that are passed on lasts longer.
constexpr auto kConnectedAtMost = trust::OwnTrust::kRelayLifetime / 2;

grpc::ChannelArguments RelayArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);  // Also how long connecting may take.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Not shared with a channel of an earlier term.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

absl::Status FollowerPort::OpenAdmin() {
  return admin_port_.Serve([this](const web::HttpRequest& request) { return Answer(request); });
}

FollowerPort::~FollowerPort() {
  admin_port_.RemoveHandler();
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

absl::Status FollowerPort::OpenGrpc(std::unique_ptr<Transport> transport) {
  transport_ = std::move(transport);
  credentials_ = transport_->ForServer();
  ASSIGN_OR_RETURN(server_, ListenForGrpc({.address = options_.grpc_address,
                                           .credentials = credentials_,
                                           .services = {},
                                           .any_service = &relay_}));
  if (transport_->own() != nullptr) {
    operator_keeper_ = std::make_unique<OperatorKeeper>(*transport_->own());
  }
  Connect();
  return absl::OkStatus();
}

void FollowerPort::SetLeader(const replica::Leader& leader) {
  if (leader.term == leader_.term && leader.info.serving() == leader_.info.serving()) return;
  leader_ = leader;
  was_reached_ = false;
  ready_ = false;
  channel_.reset();
  relay_.SetLeader(nullptr);
  if (is_open()) Connect();
}

// Until it serves, its port is that of one who follows.
void FollowerPort::Connect() {
  if (leader_.term == 0 || !leader_.info.serving()) return;
  const auto credentials = transport_->ForRelay();
  if (!credentials.ok()) {
    base::LogError("a certificate for the controller that leads: {}",
                   std::string(credentials.status().message()));
    return;
  }
  channel_ = grpc::CreateCustomChannel(leader_.info.grpc_address(), *credentials, RelayArguments());
  connected_at_ = Clock::now();
  generation_ = transport_->generation();
  base::LogInfo("the controller at {} leads (term {}): calls are passed on to it",
                leader_.info.grpc_address(), leader_.term);
}

void FollowerPort::Tick() {
  relay_.Tick();
  if (channel_ == nullptr) return;
  if (Clock::now() - connected_at_ > kConnectedAtMost || transport_->generation() != generation_) {
    Connect();
    ready_ = false;
  }
  const bool reached = channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY;
  was_reached_ = was_reached_ || reached;
  // While it is not, calls wait for a moment: another one may take over.
  if (ready_.exchange(reached) != reached) relay_.SetLeader(reached ? channel_ : nullptr);
}

bool FollowerPort::HasLostLeader() const { return was_reached_ && !ready_; }

web::HttpResponse FollowerPort::Answer(const web::HttpRequest& request) const {
  return admin::AnswerPages(
      request,
      [this]() -> absl::Status {
        if (ready_) return absl::OkStatus();
        return absl::UnavailableError("the controller that leads is not reached");
      },
      &admin::FollowerMetrics);
}

}  // namespace sluice::serve
