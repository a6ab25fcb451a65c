// One end of a handover's connection: messages with descriptors (SCM_RIGHTS) over a Unix socket
// that keeps packets apart. The other end may be another build, or hostile within the same user:
// lengths and counts are bounded, and every descriptor that comes is owned at once.
//
// One thread at a time.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "sluice/v1/handover.pb.h"

namespace sluice::restart {

struct ReceivedMessage {
  v1::HandoverMessage message;
  std::vector<base::UniqueFd> fds;
};

class HandoverChannel {
 public:
  static constexpr size_t kMessageBytesMax = 64 * 1024;
  static constexpr size_t kFdsMax = 100;  // A message; the kernel's limit is 253.

  // `socket`: a connected AF_UNIX SOCK_SEQPACKET socket.
  explicit HandoverChannel(base::UniqueFd socket) : socket_(std::move(socket)) {}

  // kPermissionDenied unless the peer runs as this process's user (SO_PEERCRED).
  absl::Status CheckPeer() const;
  // Bounds every Send and every Receive(true).
  void SetTimeout(std::chrono::milliseconds timeout);

  // Sets the protocol's version.
  absl::Status Send(v1::HandoverMessage message, const std::vector<int>& fds = {});
  absl::Status SendRefusal(const std::string& reason);
  // kUnavailable: the peer has gone, or (`wait`) the time is over; kInvalidArgument: not a message,
  // or of another protocol version; kAborted: the peer refuses, with its reason.
  absl::StatusOr<ReceivedMessage> Receive(bool wait);

  int fd() const { return socket_.get(); }

 private:
  base::UniqueFd socket_;
  std::chrono::milliseconds timeout_{0};
};

// A path below `directory` that fits into a socket address however long the directory's is;
// `*handle` keeps it valid.
absl::StatusOr<std::string> ShortPath(const std::string& directory, std::string_view name,
                                      base::UniqueFd* handle);

}  // namespace sluice::restart
