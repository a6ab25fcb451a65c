#include "common/base/service_manager.h"

#include <errno.h>
#include <fmt/format.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "common/base/file.h"

namespace sluice::base {

absl::Status NotifyReady() {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return absl::OkStatus();
  const size_t length = std::strlen(path);
  sockaddr_un address{};
  if (length >= sizeof address.sun_path || (*path != '/' && *path != '@')) {
    return absl::InvalidArgumentError(fmt::format("NOTIFY_SOCKET={} is no socket's name", path));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (*path == '@') address.sun_path[0] = '\0';  // Not in the file system.
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::string text = fmt::format("READY=1\nMAINPID={}", getpid());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
             reinterpret_cast<const sockaddr*>(&address), bytes) < 0) {
    return ErrnoStatus(errno, fmt::format("tell {} that this process is ready", path));
  }
  return absl::OkStatus();
}

}  // namespace sluice::base
