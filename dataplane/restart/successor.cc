#include "dataplane/restart/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "common/base/status_macros.h"
#include "common/base/version.h"

namespace sluice::restart {
namespace {

constexpr std::chrono::milliseconds kOfferTimeout{10'000};
constexpr size_t kSocketsMax = 1 << 20;
constexpr size_t kHealthsMax = 1 << 20;

absl::StatusOr<base::UniqueFd> ConnectTo(const std::string& state_dir) {
  base::UniqueFd directory;
  ASSIGN_OR_RETURN(const std::string path, ShortPath(state_dir, kHandoverSocketName, &directory));
  base::UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  if (fd.valid() && connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    return fd;
  }
  if (errno == ENOENT || errno == ECONNREFUSED) {
    return absl::NotFoundError("no running proxy uses " + state_dir);
  }
  return base::ErrnoStatus(errno, fmt::format("connect to {}/{}", state_dir, kHandoverSocketName));
}

}  // namespace

Successor::Successor(boost::asio::io_context& context, HandoverChannel channel)
    : channel_(std::move(channel)), readable_(context, fcntl(channel_.fd(), F_DUPFD_CLOEXEC, 0)) {}

absl::StatusOr<std::unique_ptr<Successor>> Successor::Ask(boost::asio::io_context& context,
                                                          const std::string& state_dir,
                                                          const std::string& node_id) {
  ASSIGN_OR_RETURN(base::UniqueFd socket, ConnectTo(state_dir));
  HandoverChannel channel(std::move(socket));
  RETURN_IF_ERROR(channel.CheckPeer());
  channel.SetTimeout(kOfferTimeout);
  v1::HandoverMessage message;
  message.mutable_request()->set_build_version(std::string(base::BuildInfo()));
  // A predecessor that refuses at once may have closed already; what it said is still to be read.
  const absl::Status sent = channel.Send(message);
  if (!sent.ok() && !absl::IsUnavailable(sent)) return sent;
  std::unique_ptr<Successor> successor(new Successor(context, std::move(channel)));
  if (const absl::Status status = successor->ReceiveOffer(node_id); !status.ok()) {
    if (!absl::IsAborted(status)) successor->GiveUp(std::string(status.message()));
    // Not found means something else to the caller.
    return absl::FailedPreconditionError(status.message());
  }
  return successor;
}

absl::Status Successor::ReceiveOffer(const std::string& node_id) {
  ASSIGN_OR_RETURN(ReceivedMessage first, channel_.Receive(true));
  if (!first.message.has_offer() || first.fds.size() != 1) {
    return absl::InvalidArgumentError("the running proxy's offer is not as agreed");
  }
  const v1::HandoverOffer& offer = first.message.offer();
  if (offer.node_id() != node_id) {
    return absl::FailedPreconditionError(
        fmt::format("the running proxy is node {}, this one would be {}: give --node-id {}",
                    offer.node_id(), node_id, offer.node_id()));
  }
  if (offer.socket_count() > kSocketsMax || offer.health_count() > kHealthsMax) {
    return absl::InvalidArgumentError("the running proxy offers too much");
  }
  handover_.node_id = offer.node_id();
  handover_.version = offer.version();
  handover_.state_lock = std::move(first.fds.front());
  while (handover_.sockets.size() < offer.socket_count()) {
    ASSIGN_OR_RETURN(ReceivedMessage next, channel_.Receive(true));
    RETURN_IF_ERROR(TakeSockets(std::move(next), offer.socket_count()));
  }
  while (handover_.healths.size() < offer.health_count()) {
    ASSIGN_OR_RETURN(ReceivedMessage next, channel_.Receive(true));
    if (next.message.healths().healths().empty()) {
      return absl::InvalidArgumentError("the running proxy's healths are not as it announced");
    }
    TakeHealths(std::move(next));
  }
  return absl::OkStatus();
}

absl::Status Successor::TakeSockets(ReceivedMessage received, size_t count) {
  const auto& sockets = received.message.sockets().sockets();
  const size_t got = static_cast<size_t>(sockets.size());
  if (got == 0 || got != received.fds.size() || handover_.sockets.size() + got > count) {
    return absl::InvalidArgumentError("the running proxy's sockets are not as it announced");
  }
  for (size_t i = 0; i < got; ++i) {
    const v1::HandoverSocket& socket = sockets[static_cast<int>(i)];
    handover_.sockets.push_back({socket.kind(), socket.address(), std::move(received.fds[i])});
  }
  return absl::OkStatus();
}

void Successor::TakeHealths(ReceivedMessage received) {
  for (v1::HandoverHealth& health : *received.message.mutable_healths()->mutable_healths()) {
    handover_.healths.push_back(std::move(health));
  }
}

void Successor::OnEarlyWord(std::function<void()> word) {
  readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [word = std::move(word)](const boost::system::error_code& error) {
                         if (!error) word();
                       });
}

void Successor::Ready(std::function<void(const absl::Status&)> done) {
  done_ = std::move(done);
  handover_.healths.clear();
  v1::HandoverMessage message;
  message.mutable_ready()->set_root(handover_.version.root());
  // Should it not arrive, the wait tells why.
  channel_.Send(message).IgnoreError();
  AwaitAnswer();
}

void Successor::AwaitAnswer() {
  readable_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                         if (!error) OnAnswer();
                       });
}

void Successor::OnAnswer() {
  auto answer = channel_.Receive(false);
  if (answer.ok() && answer->message.has_healths() && handover_.healths.size() < kHealthsMax) {
    TakeHealths(*std::move(answer));
    AwaitAnswer();
    return;
  }
  absl::Status status;
  if (!answer.ok() && !absl::IsUnavailable(answer.status())) {
    status = answer.status();
  } else if (answer.ok() && !answer->message.has_go()) {
    status = absl::InvalidArgumentError("the running proxy's answer is not as agreed");
  }
  done_(status);
}

void Successor::GiveUp(const std::string& reason) { channel_.SendRefusal(reason).IgnoreError(); }

}  // namespace sluice::restart
