#include "dataplane/listener/bound_socket.h"

#include <errno.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "common/base/address.h"
#include "common/base/status_macros.h"

namespace sluice::listener {
namespace {

std::string_view RemedyFor(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another program listens there: stop it or choose another port";
    case EACCES:
      return "; ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
      return "; the address is not one of this machine's";
    default:
      return "";
  }
}

absl::StatusOr<base::UniqueFd> BindOne(const base::SocketAddress& address,
                                       const std::string& text) {
  base::UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.valid()) return base::ErrnoStatus(errno, "socket for " + text);
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd.get(), address.get(), address.length) != 0) {
    const int error = errno;
    return absl::UnavailableError(
        fmt::format("cannot bind {}: {}{}", text, std::strerror(error), RemedyFor(error)));
  }
  return fd;
}

// With SO_REUSEPORT a second program of the same user could join silently and take half of the
// connections; a socket without the option finds out whether somebody listens already.
absl::Status CheckUnused(const base::SocketAddress& address, const std::string& text) {
  const base::UniqueFd probe(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(probe.get(), address.get(), address.length) == 0) return absl::OkStatus();
  const int error = errno;
  return absl::UnavailableError(
      fmt::format("cannot bind {}: {}{}", text, std::strerror(error), RemedyFor(error)));
}

}  // namespace

absl::StatusOr<std::vector<base::UniqueFd>> BindSockets(const std::string& address, int count) {
  ASSIGN_OR_RETURN(base::SocketAddress target, base::ResolveNumeric(address));
  RETURN_IF_ERROR(CheckUnused(target, address));
  return BindMoreSockets(address, count);
}

absl::StatusOr<std::vector<base::UniqueFd>> BindMoreSockets(const std::string& address, int count) {
  ASSIGN_OR_RETURN(base::SocketAddress target, base::ResolveNumeric(address));
  std::vector<base::UniqueFd> sockets;
  for (int i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(base::UniqueFd fd, BindOne(target, address));
    sockets.push_back(std::move(fd));
  }
  return sockets;
}

}  // namespace sluice::listener
