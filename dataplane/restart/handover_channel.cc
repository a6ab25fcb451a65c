#include "dataplane/restart/handover_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstring>

#include "common/base/version.h"
#include "dataplane/restart/handover.h"

namespace sluice::restart {
namespace {

void TakeDescriptors(const msghdr& header, std::vector<base::UniqueFd>* fds) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&header), control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
      fds->emplace_back(fd);
    }
  }
}

absl::Status CheckVersion(uint32_t version) {
  if (version == kHandoverProtocol) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "the other process speaks handover protocol {}, sluice-proxy {} speaks {}: stop the running "
      "proxy and start the new one without --hot-restart",
      version, base::BuildInfo(), kHandoverProtocol));
}

}  // namespace

absl::Status HandoverChannel::CheckPeer() const {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return base::ErrnoStatus(errno, "SO_PEERCRED");
  }
  if (peer.uid == geteuid()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("the other process runs as user {}, this one as {}: run both as the same user",
                  peer.uid, geteuid()));
}

void HandoverChannel::SetTimeout(std::chrono::milliseconds timeout) {
  timeout_ = timeout;
  const timeval value{.tv_sec = timeout.count() / 1000, .tv_usec = timeout.count() % 1000 * 1000};
  setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value);
  setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value);
}

absl::Status HandoverChannel::Send(v1::HandoverMessage message, const std::vector<int>& fds) {
  message.set_protocol_version(kHandoverProtocol);
  std::string bytes = message.SerializeAsString();
  if (bytes.size() > kMessageBytesMax || fds.size() > kFdsMax) {
    return absl::ResourceExhaustedError("a handover message is too large");
  }
  iovec piece{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsMax * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  while (sendmsg(fd(), &header, MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    // Who waits for a copy of the descriptor to be readable has made this one non-blocking, too.
    pollfd writable{.fd = fd(), .events = POLLOUT, .revents = 0};
    if (errno == EAGAIN && poll(&writable, 1, static_cast<int>(timeout_.count())) > 0) continue;
    return absl::UnavailableError(base::ErrnoStatus(errno, "send").message());
  }
  return absl::OkStatus();
}

absl::Status HandoverChannel::SendRefusal(const std::string& reason) {
  v1::HandoverMessage message;
  message.mutable_refusal()->set_reason(reason.substr(0, 4096));
  return Send(std::move(message));
}

absl::StatusOr<ReceivedMessage> HandoverChannel::Receive(bool wait) {
  std::string bytes(kMessageBytesMax, '\0');
  iovec piece{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsMax * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const int flags = MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT);
  ssize_t got = recvmsg(fd(), &header, flags);
  // A peer that closed before it read everything is told of once, ahead of what it said last.
  if (got < 0 && (errno == EINTR || errno == ECONNRESET)) got = recvmsg(fd(), &header, flags);
  if (got < 0) {
    if (errno == EAGAIN) return absl::UnavailableError("the other process does not answer");
    return absl::UnavailableError(base::ErrnoStatus(errno, "receive").message());
  }
  ReceivedMessage received;
  TakeDescriptors(header, &received.fds);
  if (got == 0) return absl::UnavailableError("the other process has gone");
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::InvalidArgumentError(
        "a handover message does not fit: the descriptor limit (ulimit -n) may be too low");
  }
  if (!received.message.ParseFromArray(bytes.data(), static_cast<int>(got))) {
    return absl::InvalidArgumentError("what came is not a handover message");
  }
  if (received.message.has_refusal()) {
    return absl::AbortedError(received.message.refusal().reason());
  }
  if (absl::Status status = CheckVersion(received.message.protocol_version()); !status.ok()) {
    return status;
  }
  return received;
}

absl::StatusOr<std::string> ShortPath(const std::string& directory, std::string_view name,
                                      base::UniqueFd* handle) {
  handle->Reset(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!handle->valid()) return base::ErrnoStatus(errno, "open " + directory);
  return fmt::format("/proc/self/fd/{}/{}", handle->get(), name);
}

}  // namespace sluice::restart
