#include "dataplane/io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::io {
namespace {

constexpr uint32_t kReadEvents = EPOLLIN | EPOLLRDHUP;
constexpr uint32_t kEvents = kReadEvents | EPOLLOUT;

}  // namespace

bool Socket::Open(Reactor& reactor, int fd) {
  reactor_ = &reactor;
  fd_ = fd;
  flags_ = kWritable;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (reactor.Register(fd, kEvents, this)) return true;
  Close();
  return false;
}

bool Socket::OpenAccepted(Reactor& reactor, int fd) {
  reactor_ = &reactor;
  fd_ = fd;
  flags_ = kWritable | kWritableUntold;
  if (reactor.Register(fd, kReadEvents, this)) return true;
  Close();
  return false;
}

bool Socket::Adopt(Socket& other) {
  reactor_ = other.reactor_;
  fd_ = other.fd_;
  // The kernel tells what is ready once more, to us.
  flags_ = other.flags_ & (kReadable | kWritable);
  peer_ = other.peer_;
  reactor_->Forget(&other);
  other.fd_ = -1;
  other.flags_ = 0;
  if (reactor_->Reregister(fd_, kEvents, this)) return true;
  Close();
  return false;
}

void Socket::Close() {
  if (fd_ < 0) return;
  reactor_->Forget(this);
  close(fd_);
  fd_ = -1;
  flags_ = 0;
  peer_.Reset();
}

void Socket::Abort() {
  if (fd_ < 0) return;
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  Close();
}

int Socket::Connect(Reactor& reactor, const void* address, uint32_t address_bytes) {
  const auto* target = static_cast<const sockaddr*>(address);
  const int fd = socket(target->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  // The lowest free number: so many are in use.
  if (fd >= reactor.connect_descriptors_max()) {
    close(fd);
    return EMFILE;
  }
  const int result = connect(fd, target, address_bytes) == 0 ? 0 : errno;
  if (result != 0 && result != EINPROGRESS) {
    close(fd);
    return result;
  }
  if (!Open(reactor, fd)) return errno;
  if (result == EINPROGRESS) flags_ = 0;
  return result;
}

int Socket::ConnectResult() {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return errno;
  return error;
}

ssize_t Socket::Read(void* into, size_t bytes) {
  for (;;) {
    const ssize_t result = recv(fd_, into, bytes, 0);
    if (result < 0 && errno == EINTR) continue;
    const ssize_t outcome = result < 0 ? -errno : result;
    NoteReadResult(outcome, bytes);
    return outcome;
  }
}

ssize_t Socket::Peek(void* into, size_t bytes) {
  if (!readable()) return -EAGAIN;
  for (;;) {
    const ssize_t result = recv(fd_, into, bytes, MSG_PEEK);
    if (result < 0 && errno == EINTR) continue;
    const ssize_t outcome = result < 0 ? -errno : result;
    NoteReadResult(outcome, bytes);
    return outcome;
  }
}

void Socket::Pause() {
  flags_ = static_cast<uint8_t>((flags_ & ~kReadable) | kPaused);
  reactor_->Postpone(this);
}

void Socket::Unpause() {
  if (!paused()) return;
  reactor_->Recall(this);
  flags_ = static_cast<uint8_t>((flags_ & ~kPaused) | kReadable);
}

void Socket::Discard(size_t bytes, size_t peeked) {
  if (peeked > bytes) flags_ |= kReadable;
  while (bytes > 0) {
    const ssize_t result = recv(fd_, nullptr, bytes, MSG_TRUNC);  // tcp(7): discards.
    if (result < 0 && errno == EINTR) continue;
    if (result <= 0) break;  // The next Read will tell.
    bytes -= static_cast<size_t>(result);
  }
}

ssize_t Socket::Write(const void* from, size_t bytes) {
  for (;;) {
    const ssize_t result = send(fd_, from, bytes, MSG_NOSIGNAL);
    if (result < 0 && errno == EINTR) continue;
    const ssize_t outcome = result < 0 ? -errno : result;
    NoteWriteResult(outcome, bytes);
    return outcome;
  }
}

ssize_t Socket::Writev(const iovec* parts, int count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<size_t>(count);
  size_t wanted = 0;
  for (int i = 0; i < count; ++i) wanted += parts[i].iov_len;
  for (;;) {
    const ssize_t result = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (result < 0 && errno == EINTR) continue;
    const ssize_t outcome = result < 0 ? -errno : result;
    NoteWriteResult(outcome, wanted);
    return outcome;
  }
}

void Socket::ShutdownWrite() {
  if (fd_ >= 0) shutdown(fd_, SHUT_WR);
}

void Socket::NoteReadBytes(size_t bytes) {
  const auto turn = static_cast<uint32_t>(reactor_->turn());
  if (turn_ != turn) {
    turn_ = turn;
    turn_bytes_ = 0;
  }
  turn_bytes_ += static_cast<uint32_t>(bytes);
  if (turn_bytes_ >= kTurnBytes && readable()) Pause();
}

void Socket::NoteReadResult(ssize_t result, size_t wanted) {
  // A short read has emptied the queue: the next byte raises a new edge. End of stream and errors
  // do not, so they stay readable; so does a queue behind which the peer has closed.
  const bool emptied =
      result == -EAGAIN || (result > 0 && static_cast<size_t>(result) < wanted && !peer_.closed());
  if (emptied) flags_ &= static_cast<uint8_t>(~kReadable);
  if (result > 0) NoteReadBytes(static_cast<size_t>(result));
}

void Socket::NoteWriteResult(ssize_t result, size_t wanted) {
  if (result == -EAGAIN || (result >= 0 && static_cast<size_t>(result) < wanted)) {
    flags_ &= static_cast<uint8_t>(~kWritable);
    if (flags_ & kWritableUntold) WatchWritable();
  }
}

// Should there be room again meanwhile, this reports it.
void Socket::WatchWritable() {
  flags_ &= static_cast<uint8_t>(~kWritableUntold);
  reactor_->Reregister(fd_, kEvents, this);
}

void Socket::OnNextTurn() {
  flags_ &= static_cast<uint8_t>(~kPaused);
  OnEvents(EPOLLIN);
}

void Socket::OnEvents(uint32_t events) {
  // A paused one becomes readable in this very turn, behind the others.
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && !paused()) flags_ |= kReadable;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) flags_ |= kWritable;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) peer_.closed_ = true;
  if (events & (EPOLLHUP | EPOLLERR)) peer_.gone_ = true;

  if (idle_callback_ != nullptr) {
    if ((flags_ & kReadable) || peer_.gone()) idle_callback_(idle_argument_);
    return;
  }
  // Whoever is woken may close or destroy this socket; then nobody is left to be told.
  Reactor& reactor = *reactor_;
  if (peer_.closed()) peer_.Tell();
  if (!reactor.IsDelivering(this)) return;
  if ((flags_ & kReadable) && read_wait_ != nullptr) read_wait_->Fire(Wake::kReady);
  if (!reactor.IsDelivering(this)) return;
  if ((flags_ & kWritable) && write_wait_ != nullptr) write_wait_->Fire(Wake::kReady);
}

}  // namespace sluice::io
