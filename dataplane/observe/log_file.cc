#include "dataplane/observe/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::observe {
namespace {

// How long a reader of our pipe may take before lines are given up.
constexpr int kPipeWaitMs = 1000;

// Far below IOV_MAX; rings are as many as workers.
constexpr size_t kPartsMax = 64;

size_t LinesIn(std::span<const iovec> parts) {
  size_t lines = 0;
  for (const iovec& part : parts) {
    const char* begin = static_cast<const char*>(part.iov_base);
    lines += static_cast<size_t>(std::count(begin, begin + part.iov_len, '\n'));
  }
  return lines;
}

// Takes `bytes` off the front; returns what is left.
std::span<iovec> Advance(std::span<iovec> parts, size_t bytes) {
  while (!parts.empty() && bytes >= parts.front().iov_len) {
    bytes -= parts.front().iov_len;
    parts = parts.subspan(1);
  }
  if (bytes > 0) {
    parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + bytes;
    parts.front().iov_len -= bytes;
  }
  return parts;
}

}  // namespace

absl::StatusOr<std::shared_ptr<LogFile>> LogFile::Open(const std::string& path) {
  // Non-blocking, so that a named pipe without a reader does not hold us up.
  const int descriptor =
      path == "-"
          ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
          : open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
  if (descriptor < 0) {
    return absl::FailedPreconditionError(fmt::format(
        "access_log.path: cannot open {}: {}; make its folder writable for the proxy or "
        "name another path",
        path, std::strerror(errno)));
  }
  return std::shared_ptr<LogFile>(new LogFile(path, descriptor));
}

LogFile::LogFile(std::string path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

LogFile::~LogFile() { close(descriptor_); }

ssize_t LogFile::WriteSome(std::span<iovec> parts) {
  const int count = static_cast<int>(std::min(parts.size(), kPartsMax));
  for (;;) {
    const ssize_t written = writev(descriptor_, parts.data(), count);
    if (written >= 0 || (errno != EAGAIN && errno != EINTR)) return written;
    if (errno == EINTR) continue;
    pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, kPipeWaitMs) == 0) {
      errno = EAGAIN;
      return -1;
    }
  }
}

LogFile::Result LogFile::Write(std::span<iovec> parts) {
  if (line_torn_) {
    char newline[] = "\n";
    iovec part{newline, 1};
    line_torn_ = WriteSome({&part, 1}) != 1;
    if (line_torn_) return {LinesIn(parts), errno};
  }
  parts = Advance(parts, 0);
  while (!parts.empty()) {
    const ssize_t written = WriteSome(parts);
    if (written < 0) return {LinesIn(parts), errno};
    // Remember the last byte before moving past it.
    size_t rest = static_cast<size_t>(written);
    for (const iovec& part : parts) {
      if (rest == 0) break;
      const size_t bytes = std::min(rest, part.iov_len);
      if (bytes > 0) line_torn_ = static_cast<const char*>(part.iov_base)[bytes - 1] != '\n';
      rest -= bytes;
    }
    parts = Advance(parts, static_cast<size_t>(written));
  }
  return {};
}

}  // namespace sluice::observe
