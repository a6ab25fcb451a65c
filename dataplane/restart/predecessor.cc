#include "dataplane/restart/predecessor.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace sluice::restart {

using std::chrono::milliseconds;

namespace {

// A successor reads at once; one that does not must not hold up the control thread.
constexpr milliseconds kSendTimeout{2000};
// Far from what a message may have, however the next one turns out.
constexpr size_t kHealthBytesMax = HandoverChannel::kMessageBytesMax / 2;
constexpr size_t kTextBytesMax = 1024;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// Under a name of its own, given its mode, then renamed: nobody meets it half made.
absl::StatusOr<base::UniqueFd> ListenAt(const std::string& state_dir) {
  base::UniqueFd directory;
  const std::string temporary = fmt::format(".{}.{}", kHandoverSocketName, getpid());
  ASSIGN_OR_RETURN(const std::string path, ShortPath(state_dir, temporary, &directory));
  base::UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  unlink(path.c_str());
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), 0600) != 0 || listen(fd.get(), 4) != 0 ||
      renameat(directory.get(), temporary.c_str(), directory.get(),
               std::string(kHandoverSocketName).c_str()) != 0) {
    return base::ErrnoStatus(errno, fmt::format("listen on {}/{}", state_dir, kHandoverSocketName));
  }
  return fd;
}

}  // namespace

Predecessor::Attempt::Attempt(boost::asio::io_context& context, base::UniqueFd socket)
    : channel(std::move(socket)), readable(context, fcntl(channel.fd(), F_DUPFD_CLOEXEC, 0)) {}

absl::StatusOr<std::unique_ptr<Predecessor>> Predecessor::Open(boost::asio::io_context& context,
                                                               const std::string& state_dir,
                                                               HandoverHost& host,
                                                               milliseconds ready_timeout) {
  ASSIGN_OR_RETURN(base::UniqueFd listening, ListenAt(state_dir));
  return std::unique_ptr<Predecessor>(
      new Predecessor(context, host, std::move(listening), ready_timeout));
}

Predecessor::Predecessor(boost::asio::io_context& context, HandoverHost& host,
                         base::UniqueFd listening, milliseconds ready_timeout)
    : context_(context),
      host_(host),
      ready_timeout_(ready_timeout),
      listening_(context, listening.Release()),
      deadline_(context) {
  AwaitSuccessor();
}

Predecessor::~Predecessor() { Close("the running proxy is ending"); }

void Predecessor::Close(const std::string& reason) {
  boost::system::error_code ignored;
  listening_.close(ignored);
  if (attempt_ != nullptr) End(reason, true);
}

void Predecessor::AwaitSuccessor() {
  listening_.async_wait(Descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    OnSuccessor();
    AwaitSuccessor();
  });
}

void Predecessor::OnSuccessor() {
  base::UniqueFd socket(accept4(listening_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.valid()) return;
  auto attempt = std::make_unique<Attempt>(context_, std::move(socket));
  attempt->channel.SetTimeout(kSendTimeout);
  if (const absl::Status peer = attempt->channel.CheckPeer(); !peer.ok()) {
    base::LogWarn("hot restart refused: {}", Text(peer));
    attempt->channel.SendRefusal(Text(peer)).IgnoreError();
    return;
  }
  if (attempt_ != nullptr) {
    attempt->channel.SendRefusal("another new process is taking over already: wait for it")
        .IgnoreError();
    return;
  }
  attempt_ = std::move(attempt);
  deadline_.expires_after(ready_timeout_);
  deadline_.async_wait([this](const boost::system::error_code& error) {
    if (!error && attempt_ != nullptr) {
      End(fmt::format("the new process was not ready within {} s",
                      std::chrono::duration<double>(ready_timeout_).count()),
          true);
    }
  });
  AwaitMessage();
}

void Predecessor::AwaitMessage() {
  attempt_->readable.async_wait(Descriptor::wait_read,
                                [this](const boost::system::error_code& error) {
                                  if (!error) OnMessage();
                                });
}

void Predecessor::OnMessage() {
  const auto received = attempt_->channel.Receive(false);
  if (!received.ok()) {
    End(Text(received.status()), absl::IsInvalidArgument(received.status()));
    return;
  }
  if (const absl::Status status = Handle(*received); !status.ok()) {
    End(Text(status), true);
  } else if (attempt_ != nullptr) {
    AwaitMessage();
  }
}

absl::Status Predecessor::Handle(const ReceivedMessage& received) {
  const v1::HandoverMessage& message = received.message;
  if (message.has_request() && !attempt_->offered) {
    base::LogInfo("a new process ({}) asks to take over", message.request().build_version());
    return SendOffer();
  }
  if (message.has_ready() && attempt_->offered) return HandOver(message.ready().root());
  return absl::InvalidArgumentError("a handover message out of order");
}

absl::Status Predecessor::SendOffer() {
  ASSIGN_OR_RETURN(Handover handover, host_.BeginHandover());
  attempt_->offered = true;
  v1::HandoverMessage message;
  message.mutable_offer()->set_node_id(handover.node_id);
  *message.mutable_offer()->mutable_version() = handover.version;
  message.mutable_offer()->set_socket_count(static_cast<uint32_t>(handover.sockets.size()));
  message.mutable_offer()->set_health_count(static_cast<uint32_t>(handover.healths.size()));
  RETURN_IF_ERROR(attempt_->channel.Send(message, {handover.state_lock.get()}));
  RETURN_IF_ERROR(SendSockets(handover.sockets));
  return SendHealths(std::move(handover.healths));
}

absl::Status Predecessor::SendSockets(const std::vector<HandedSocket>& sockets) {
  for (size_t begin = 0; begin < sockets.size(); begin += HandoverChannel::kFdsMax) {
    const size_t end = std::min(begin + HandoverChannel::kFdsMax, sockets.size());
    v1::HandoverMessage message;
    std::vector<int> fds;
    for (size_t i = begin; i < end; ++i) {
      v1::HandoverSocket& socket = *message.mutable_sockets()->add_sockets();
      socket.set_kind(sockets[i].kind);
      socket.set_address(sockets[i].address);
      fds.push_back(sockets[i].fd.get());
    }
    RETURN_IF_ERROR(attempt_->channel.Send(message, fds));
  }
  return absl::OkStatus();
}

absl::Status Predecessor::SendHealths(std::vector<v1::HandoverHealth> healths) {
  v1::HandoverMessage message;
  size_t bytes = 0;
  for (v1::HandoverHealth& health : healths) {
    for (std::string* text : {health.mutable_reason(), health.mutable_ejection_reason()}) {
      if (text->size() > kTextBytesMax) text->clear();
    }
    bytes += health.ByteSizeLong();
    *message.mutable_healths()->add_healths() = std::move(health);
    if (bytes < kHealthBytesMax) continue;
    RETURN_IF_ERROR(attempt_->channel.Send(std::exchange(message, {})));
    bytes = 0;
  }
  if (bytes == 0) return absl::OkStatus();
  return attempt_->channel.Send(std::move(message));
}

absl::Status Predecessor::HandOver(const std::string& root) {
  RETURN_IF_ERROR(host_.CheckHandover(root));
  // Checks it makes itself; what requests meet it cannot know.
  std::vector<v1::HandoverHealth> ejected = host_.Healths();
  std::erase_if(ejected, [](const auto& health) { return health.ejected_until_unix_ms() == 0; });
  RETURN_IF_ERROR(SendHealths(std::move(ejected)));
  v1::HandoverMessage message;
  message.mutable_go();
  RETURN_IF_ERROR(attempt_->channel.Send(message));
  deadline_.cancel();
  HandoverChannel channel = std::move(attempt_->channel);
  attempt_.reset();
  boost::system::error_code ignored;
  listening_.close(ignored);
  host_.CompleteHandover(std::move(channel));
  return absl::OkStatus();
}

void Predecessor::End(const std::string& reason, bool tell) {
  deadline_.cancel();
  if (tell) attempt_->channel.SendRefusal(reason).IgnoreError();
  const bool offered = attempt_->offered;
  attempt_.reset();
  base::LogWarn("hot restart did not happen, serving goes on: {}", reason);
  if (offered) host_.AbortHandover();
}

}  // namespace sluice::restart
